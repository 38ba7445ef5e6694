// OpenSSH's own server, as an ordinary process on a port of loopback, with keys that live as long as it does.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const program = '/usr/sbin/sshd' // It starts itself anew for each connection, and wants its whole path for that.
const startMsMax = 10_000

/** Without a server these tests are left out, but not under CI: there they must run. */
export const withSsh: { skip: string | false } = {
  skip:
    existsSync(program) || process.env['CI']
      ? false
      : 'No sshd is on this machine: `apt-get install openssh-server` and these tests run.',
}

export type SshServer = AsyncDisposable & {
  /** What `ssh` is called with, to run a line of shell on a terminal of its own. */
  argv(line: string): string[]
  /** Breaks every connection in its middle, as a network does. */
  cut(): void
}

export async function startSshServer(): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'treadle-ssh-'))
  chmodSync(folder, 0o700)
  for (const name of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  }
  const port = await findPort()
  writeFileSync(join(folder, 'sshd_config'), toConfig(folder, port))
  // As root it puts the part that talks to strangers into this empty folder; a service manager would make it.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const server = spawn(program, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  server.stderr.on('data', (text) => (said += text))
  const line = await startLine(port)
  const hostKey = readFileSync(join(folder, 'host.pub'), 'utf8')
  writeFileSync(join(folder, 'known_hosts'), `[127.0.0.1]:${line.port} ${hostKey}`)
  await untilAnswers(port, () => said)
  const options = toOptions(folder)
  return {
    argv: (command) => [...options, '-p', String(line.port), '127.0.0.1', command],
    cut: line.cut,
    async [Symbol.asyncDispose]() {
      line.stop()
      server.kill()
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

// No PAM: an account's session would be noted in the machine's own books.
const toConfig = (folder: string, port: number) => `
ListenAddress 127.0.0.1
Port ${port}
HostKey ${folder}/host
PidFile none
AuthorizedKeysFile ${folder}/user.pub
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
PrintMotd no
PrintLastLog no
AcceptEnv LANG NO_COLOR
`

const toOptions = (folder: string) => [
  ...['-F', 'none', '-tt', '-e', 'none', '-i', join(folder, 'user')],
  ...['-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
  ...['-o', `UserKnownHostsFile=${folder}/known_hosts`, '-o', 'GlobalKnownHostsFile=/dev/null'],
  ...['-o', 'SendEnv=LANG NO_COLOR', '-o', 'LogLevel=ERROR', '-l', userInfo().username],
]

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A wire between client and server, which can break. */
async function startLine(to: number) {
  const ends = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => {}) // The other end is told by its close.
      end.on('close', () => ends.delete(end))
    }
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const end of ends) end.resetAndDestroy()
  }
  const stop = () => {
    cut()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, cut, stop }
}

async function untilAnswers(port: number, said: () => string): Promise<void> {
  const last = Date.now() + startMsMax
  while (Date.now() < last) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await once(socket, 'data').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await sleep(50)
  }
  throw new Error(`sshd did not start: ${said()}`)
}
