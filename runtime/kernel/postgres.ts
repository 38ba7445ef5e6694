// The embedded PostgreSQL: the real server from its npm package, started by us, reached over a Unix socket alone.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './log.ts'

export type PostgresOptions = {
  /** The package's `native` folder: bin, lib, share. The server's uid must be able to reach it. */
  programs: string
  /** Where data lies; made when absent. */
  folder: string
  /** Holds the socket. Keep its path under 90 bytes: a Unix socket's limit is 107 with its file name. */
  socketFolder: string
  /** Who the server runs as: PostgreSQL refuses root. Null = as the caller. */
  owner: Owner | null
  /** Off only for data that may be lost. */
  fsync: 'on' | 'off'
  log: Logger
}
type Owner = { uid: number; gid: number }

export type Postgres = AsyncDisposable & {
  pid: number
  /** A connection string for one login. */
  url(login: string, database: string): string
  /** Resolves when the server has ended, wanted or not. */
  ended: Promise<void>
}

/** Starts the server on new data or on what it finds; a server left over on it is ended first. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { folder, socketFolder, owner, programs } = options
  restoreLinks(programs)
  for (const path of [folder, socketFolder]) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (owner) chownSync(path, owner.uid, owner.gid)
  }
  await endLeftover(folder)
  if (!existsSync(join(folder, 'data'))) createCluster(options)
  const server = await startServer(options)
  const ended = exited(server)
  return {
    pid: server.pid!,
    ended,
    url: (login, database) => `postgres://${login}@${encodeURIComponent(socketFolder)}/${database}`,
    async [Symbol.asyncDispose]() {
      server.kill('SIGINT') // Fast shutdown: clients are cut, everything is written.
      const hurry = setTimeout(() => server.kill('SIGQUIT'), 5_000)
      await ended
      clearTimeout(hurry)
    },
  }
}

const exited = (server: ChildProcess) =>
  server.exitCode !== null || server.signalCode !== null
    ? Promise.resolve()
    : once(server, 'exit').then(() => {})

// npm leaves the package's library links out when install scripts are off: initdb then finds no libicu.
function restoreLinks(programs: string): void {
  const list = join(programs, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Link[]) {
    const link = join(dirname(programs), target)
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(basename(source), link)
  }
}
type Link = { source: string; target: string }

// initdb looks its uid up in the passwd file, where a uid of our own has no line. `nobody` has one everywhere; the
// data then goes to its real owner, whom a running server does not look up.
const nobody: Owner = { uid: 65_534, gid: 65_534 }
const asNobody = ['--user', `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`]

function createCluster({ programs, folder, owner, fsync }: PostgresOptions): void {
  const fresh = join(folder, 'data.new')
  rmSync(fresh, { recursive: true, force: true }) // A start that was killed half-way leaves one.
  if (owner) chownSync(folder, nobody.uid, nobody.gid)
  const initdb = join(programs, 'bin/initdb')
  const flags = ['-D', fresh, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--no-instructions']
  const locale = ['--locale-provider=builtin', '--locale=C.UTF-8']
  const argv = [...flags, ...locale, ...(fsync === 'off' ? ['--no-sync'] : [])]
  // A caller that the passwd file does not know, as in some containers, is `nobody` in a user namespace of its own.
  const [program, args] =
    owner || hasName() ? [initdb, argv] : ['unshare', [...asNobody, initdb, ...argv]]
  const made = spawnSync(program, args, {
    ...(owner && nobody),
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', TZ: 'UTC' },
  })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr ?? made.error?.message}`)
  if (owner) chownAll(folder, owner)
  renameSync(fresh, join(folder, 'data')) // One step: a folder named `data` is always whole.
}

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false // As documented: the uid has no line.
  }
}

function chownAll(path: string, owner: Owner): void {
  lchownSync(path, owner.uid, owner.gid)
  if (!lstatSync(path).isDirectory()) return
  for (const name of readdirSync(path)) chownAll(join(path, name), owner)
}

const readyMsMax = 60_000 // Replaying the log after a crash takes a while on a slow disk.

async function startServer(options: PostgresOptions): Promise<ChildProcess> {
  const { programs, folder, socketFolder, owner, fsync, log } = options
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketFolder,
    unix_socket_permissions: '0700',
    fsync,
    max_connections: '120', // Ten for each of the roles, and room for their successors during a restart.
    shared_buffers: '64MB',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const argv = ['-D', join(folder, 'data'), ...flags]
  // The server ends by itself when we are killed. (setpriv keeps the pid: it execs.)
  const server = spawn('setpriv', ['--pdeathsig', 'INT', join(programs, 'bin/postgres'), ...argv], {
    ...owner,
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // Ctrl-C goes to us; we then end the server in order.
  })
  await ready(server, log)
  return server
}

function ready(server: ChildProcess, log: Logger): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = '' // What it said before it was ready: the reason, should it end.
  const settle = () => {
    clearTimeout(late)
    server.off('exit', onExit)
  }
  const fail = (why: string) => {
    settle()
    server.kill('SIGKILL')
    reject(new Error(`PostgreSQL ${why}: ${said}`))
  }
  const onExit = (code: number | null) => fail(`ended with ${code}`)
  const late = setTimeout(() => fail('was not ready in time'), readyMsMax)
  server.once('error', (error) => fail(`could not be started (${error.message})`))
  server.once('exit', onExit)
  server.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log.debug({ text: text.trimEnd() }, 'postgres')
    said = (said + text).slice(-2_000)
    if (!text.includes('ready to accept connections')) return
    settle()
    resolve()
  })
  return promise
}

/** A killed process leaves its server: it is ended as PostgreSQL likes it, then harder. */
async function endLeftover(folder: string): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGINT', 4_000],
    ['SIGQUIT', 2_000],
    ['SIGKILL', 2_000],
  ] as const) {
    const pid = leftoverPid(folder)
    if (pid === null) return
    process.kill(pid, signal)
    for (let waited = 0; waited < waitMs && leftoverPid(folder) !== null; waited += 20)
      await sleep(20)
  }
  if (leftoverPid(folder) !== null) throw new Error(`Another PostgreSQL runs on ${folder}.`)
}

function leftoverPid(folder: string): number | null {
  try {
    const pid = Number(readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[0])
    // The number may be another process by now: only a server whose working folder is this one is meant.
    return readlinkSync(`/proc/${pid}/cwd`) === join(folder, 'data') ? pid : null
  } catch {
    return null // No file, or no such process: nothing is left over.
  }
}
