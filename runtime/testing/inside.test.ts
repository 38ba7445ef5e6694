// What an agent tries from inside the sandbox of a whole Treadle. Each probe is one program, run twice: outside, where
// it must get what it wants, and inside, where it must not. One that fails at both proves nothing, and is a failure.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Sandbox } from '../weaver/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { runFolder, type SleepingAgent, startSleepingAgent } from './sleeping-agent.ts'

assert.equal(
  process.getuid?.(),
  0,
  'The controls need root: other users, and a network of their own.',
)

type Facts = {
  treadle: TestAppliance
  run: string
  /** The sandbox that the probes run in, and another one. */
  mine: SleepingAgent
  other: SleepingAgent
  serverPort: number
  /** A process of this machine, and a word in its environment. */
  hostPid: number
  hostWord: string
}

type Probe = {
  script: string
  env?: (facts: Facts) => Record<string, string>
  /** Where the same thing has another name outside. */
  outsideEnv?: (facts: Facts) => Record<string, string>
  /** Where a plain shell as root would not show it: the command that runs the script. */
  outside?: (script: string) => string[]
  /** What a filter of system calls alone stops. A machine that has none must say so in the sandbox's level. */
  needsFilter?: true
}

const connectTo = (target: string) =>
  `node -e 'require("net").connect(${target}).on("connect", () => process.exit(0)).on("error", (e) => { console.log(e.code); process.exit(1) })'`
const connectToPath = connectTo('process.env.TARGET.replace(/^@/, "\\0")')
const connectToPort = connectTo('+process.env.TARGET, "127.0.0.1"')

// The machine has nothing at the metadata address, so the control gets a network of its own that has.
const withMetadata = (script: string) => [
  ...['unshare', '--net', 'sh', '-c'],
  `ip link set lo up; ip addr add 169.254.169.254/32 dev lo
   node -e 'require("net").createServer().listen(80, "169.254.169.254")' & server=$!
   for wait in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; if ${script}; then kill $server; exit 0; fi; done
   kill $server; exit 1`,
]
const asNobodySpecial = (script: string) => [
  ...['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', 'sh', '-c', script],
]

// In a session of its own with a terminal of its own, a character is put into that terminal's input.
const typeIntoTerminal = `perl -MPOSIX -MFcntl -e '
  my $child = fork; if ($child) { waitpid $child, 0; print $?; exit($? ? 1 : 0) }
  $SIG{HUP} = "IGNORE"; POSIX::setsid(); sysopen M, "/dev/ptmx", O_RDWR|O_NOCTTY or exit 3;
  my $zero = pack "i", 0; ioctl M, 0x40045431, $zero or exit 4;
  my $number = $zero; ioctl M, 0x80045430, $number or exit 5;
  open S, "+<", "/dev/pts/" . unpack "i", $number or exit 6;
  ioctl S, 0x540e, 0; my $typed = "x"; exit(ioctl(S, 0x5412, $typed) ? 0 : 1)'`

/** A system call of x86-64 by its number, from the smallest program that makes any. */
const call = (text: string) => `perl -e 'exit(syscall(${text}) < 0)'`

const target = (of: (facts: Facts) => string) => (facts: Facts) => ({ TARGET: of(facts) })
const inState = (path: string) => target(({ treadle }) => join(treadle.state, path))
const reads = (env: Probe['env']): Probe => ({ script: 'cat "$TARGET"', env: env! })
const connects = (of: (facts: Facts) => string): Probe => ({
  script: connectToPath,
  env: target(of),
})
const writes = (inside: string, outside: (facts: Facts) => string): Probe => ({
  script: 'touch "$TARGET/.written" && rm "$TARGET/.written"',
  env: () => ({ TARGET: inside }),
  outsideEnv: target(outside),
})

const probes: Record<string, Probe> = {
  "another loop's workspace": reads(target(({ other }) => join(other.place.work, 'secret'))),
  "another loop's token file": reads(target(({ other }) => join(other.place.home, 'token'))),
  'the key over all credentials': reads(inState('keys/master.key')),
  "a role's signing key": reads(inState('keys/weaver.pem')),
  "the owner's token": reads(inState('owner.token')),
  'the log': reads(inState('logs/treadle.log')),
  'the files of the database': reads(inState('postgres/data/PG_VERSION')),
  "a file by another process's root": {
    script: 'cat /proc/[0-9]*/root"$TARGET" 2>/dev/null | grep -q .',
    env: inState('owner.token'),
  },
  "a file by another process's folder": {
    script:
      'for at in /proc/[0-9]*/cwd /proc/[0-9]*/fd/*; do [ -s "$at/../../../../../../../..$TARGET" ] && exit 0; done; exit 1',
    env: inState('owner.token'),
  },
  "the database's socket": connects(({ run }) => join(run, 'pg/.s.PGSQL.5432')),
  "the proxy's line for all sandboxes": connects(({ run }) => join(run, 'line.sock')),
  "another sandbox's line": connects(({ other }) => join(other.place.line, 'proxy.sock')),
  "another sandbox's daemon": connects(({ other }) => join(other.place.pod, 'pod.sock')),
  "the machine's abstract sockets": connects(({ treadle }) => abstractName(treadle.state)),
  'a server on loopback of the machine': {
    script: connectToPort,
    env: target(({ serverPort }) => String(serverPort)),
  },
  'the front door': {
    script: connectToPort,
    env: target(({ treadle }) => new URL(treadle.url).port),
  },
  "the proxy's public port": {
    script: connectToPort,
    env: target(({ treadle }) => new URL(treadle.proxyUrl).port),
  },
  'the metadata address': {
    script: connectTo('80, "169.254.169.254"'),
    outside: withMetadata,
  },
  "the environment of the machine's processes": {
    script: 'grep -al "HOST_WORD=$TARGET" /proc/[0-9]*/environ 2>/dev/null | grep -q .',
    env: target(({ hostWord }) => hostWord),
  },
  "a signal to the machine's processes": {
    script: 'kill -CONT "$TARGET"',
    env: target(({ hostPid }) => String(hostPid)),
  },
  'a mount': { script: 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d"' },
  'a user namespace': { script: 'unshare --user true' },
  'tracing a process': { script: call('101, 0, 0, 0, 0'), needsFilter: true },
  "the memory of the machine's processes": {
    script: `perl -e 'open M, "<", "/proc/$ENV{TARGET}/mem" or exit 1; exit 0'`,
    env: target(({ hostPid }) => String(hostPid)),
  },
  'a raw socket': { script: call('41, 2, 3, 1') },
  'a packet socket': { script: call('41, 17, 3, 0') },
  'a socket to the host of a virtual machine': { script: call('41, 40, 1, 0'), needsFilter: true },
  'a keyring': { script: call('250, 0, -3, 1'), needsFilter: true },
  'a keystroke in a terminal': { script: typeIntoTerminal, needsFilter: true },
  'new privileges': { script: 'grep -q "^NoNewPrivs:.*0" /proc/self/status' },
  "root by a program with root's set-user-ID bit": {
    script: '[ "$("$TARGET/as-root" -u)" = 0 ]',
    env: () => ({ TARGET: '/work' }),
    outsideEnv: target(({ treadle }) => join(treadle.state, 'work')),
    outside: asNobodySpecial,
  },
  'writing to /usr': writes('/usr', () => '/usr'),
  "writing to the sandbox's programs": writes('/opt/treadle', ({ treadle }) =>
    join(treadle.state, 'readable'),
  ),
  'writing to the line': writes('/run/line', ({ mine }) => mine.place.line),
  'writing to the compiled code of the daemon': writes('/run/code-cache', ({ treadle }) =>
    join(treadle.state, 'sandboxes/code-cache'),
  ),
  'writing to /etc': writes('/etc', () => '/etc'),
}

const abstractName = (state: string) =>
  `@treadle-${createHash('sha256').update(state).digest('hex').slice(0, 32)}`

describe('from inside its sandbox an agent does not reach', () => {
  const owned = new AsyncDisposableStack()
  let facts: Facts
  before(async () => {
    const treadle = owned.use(await startAppliance('--parallel=3'))
    const work = join(treadle.state, 'work')
    mkdirSync(work)
    const [mine, other] = await Promise.all([
      startSleepingAgent(treadle, work),
      startSleepingAgent(treadle, work),
    ])
    facts = { treadle, run: runFolder(treadle), mine, other, ...(await startHost(owned)) }
    writeFileSync(join(other.place.work, 'secret'), 'secret')
    // Put there by the machine's root: an agent alone could not even do that.
    for (const folder of [work, mine.place.work]) {
      copyFileSync('/usr/bin/id', join(folder, 'as-root'))
      chmodSync(join(folder, 'as-root'), 0o4755)
    }
  })
  after(() => owned.disposeAsync())

  for (const [title, probe] of Object.entries(probes)) {
    test(title, async () => {
      const env = probe.env?.(facts) ?? {}
      const control = runOutside(probe, { ...env, ...probe.outsideEnv?.(facts) })
      assert.equal(
        control.status,
        0,
        `outside it fails as well: ${control.stdout}${control.stderr}`,
      )
      const { exit, output } = await facts.mine.exec(probe.script, env)
      if (exit === 0 && probe.needsFilter && !(await hasFilter(facts))) return
      assert.notEqual(exit, 0, `inside it succeeds: ${output}`)
      assert.ok(exit !== 127 && exit !== 126, `inside, its program does not run: ${output}`)
    })
  }

  test("another sandbox's model calls by its token, on any line but that one's own", async () => {
    const { mine, other, run } = facts
    const token = { TOKEN: readFileSync(join(other.place.home, 'token'), 'utf8') }
    const lineSocket = join(run, 'line.sock')
    const preamble = `TREADLE-LINE 1 ${other.sandbox}`
    const asMain = { ...token, LINE: lineSocket, PREAMBLE: preamble }
    const asked = async (agent: SleepingAgent, env: object) =>
      (await agent.exec(askModels, { ...token, ...env })).output.trim()
    const askedOutside = (env: Record<string, string>) =>
      runOutside({ script: askModels }, env).stdout.trim()

    assert.equal(await asked(other, { PORT: '7401' }), '200', 'on its own line it is good')
    assert.equal(await asked(mine, { PORT: '7401' }), '401', "on another sandbox's line")
    const port = new URL(facts.treadle.proxyUrl).port
    assert.equal(askedOutside({ ...token, PORT: port }), '401', 'on the public port')
    const key = await facts.treadle.client.post<{ key: string }>('/api/keys', { name: 'control' })
    const withKey = { TOKEN: key.key, PORT: port }
    await facts.treadle.until('a key to be good there', async () => askedOutside(withKey) === '200')

    assert.equal(askedOutside(asMain), '200', "with the line's preamble, as the relay says it")
    const onLine = { LINE: '/run/line/proxy.sock', PREAMBLE: preamble }
    assert.match(await asked(mine, onLine), /^(400|closed|ECONNRESET)$/, 'it is no HTTP there')

    const itsOwn = { ...token, LINE: join(other.place.line, 'proxy.sock') }
    assert.equal(askedOutside(itsOwn), '200', 'on its own line from outside')
    await other.end()
    assert.equal(askedOutside(itsOwn), 'ENOENT', 'with the sandbox its line ended')
    assert.equal(await asked(mine, { PORT: '7401' }), '401', 'and no other line takes it')
    assert.equal(askedOutside({ ...token, PORT: port }), '401')
  })
})

async function hasFilter({ treadle, mine }: Facts): Promise<boolean> {
  const { level } = await treadle.client.get<Sandbox>(`/api/sandboxes/${mine.sandbox}`)
  return level.probes.find(({ name }) => name === 'seccomp')!.held
}

/** Prints the status of the model list, asked with TOKEN at PORT, or over the Unix socket LINE after PREAMBLE. */
const askModels = `node -e '
  const { TOKEN, PORT, LINE, PREAMBLE } = process.env
  const socket = LINE ? require("net").connect(LINE) : require("net").connect(+PORT, "127.0.0.1")
  if (PREAMBLE) socket.write(PREAMBLE + "\\n")
  socket.write("GET /v1/models HTTP/1.1\\r\\nhost: 127.0.0.1:" + (PORT ?? 7401) +
    "\\r\\nauthorization: Bearer " + TOKEN + "\\r\\nconnection: close\\r\\n\\r\\n")
  socket.on("error", (e) => console.log(e.code))
  const closed = () => console.log("closed")
  socket.once("end", closed).once("data", (chunk) => {
    console.log(String(chunk).split(" ")[1])
    process.exit()
  })'`

function runOutside({ script, outside }: Probe, env: Record<string, string>) {
  const [file, ...args] = outside?.(script) ?? ['sh', '-c', script]
  const path = `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`
  return spawnSync(file!, args, { env: { PATH: path, ...env }, encoding: 'utf8', timeout: 20_000 })
}

/** What the machine has that no sandbox may see: a server, and a process with a word in its environment. */
async function startHost(owned: AsyncDisposableStack) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  owned.defer(() => void server.close())
  const hostWord = `word-${process.pid}`
  const sleeper = spawn('sleep', ['600'], { env: { HOST_WORD: hostWord } })
  owned.defer(() => void sleeper.kill())
  return { serverPort: (server.address() as AddressInfo).port, hostPid: sleeper.pid!, hostWord }
}
