// The one way this role runs git: fixed configuration, fixed environment, bounded output, a deadline.
// **Security.** Repositories are foreign ground. Whatever a repository's own config, hooks or monitor would start is off;
// no transport is open unless a call names it; arguments go as a list, never through a shell.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fault } from '../errors.ts'

export type Owner = { uid: number; gid: number }
export type Protocol = 'http' | 'https' | 'ssh'

export type GitOptions = {
  /** The repository. Always given as a path, so nothing is discovered above it. */
  repository: string
  msMax: number
  signal?: AbortSignal | undefined
  input?: string | Readable | undefined
  /** Transports this call may use. None otherwise. */
  protocols?: readonly Protocol[]
  /** More `-c` settings of ours, never a user's text. */
  settings?: readonly string[]
  /** Who runs it: the owner of a source, when this process is root. */
  as?: Owner | undefined
  outputBytesMax?: number
}
export type GitResult = { exit: number; output: Buffer; errors: string }

const outputBytesMaxDefault = 4 * 1024 * 1024 // A plan, a list of refs, the names of changed files.
const errorCharsMax = 2_000 // The end of what git complains about; it goes to reasons that people read.

/** The settings under every call. gc would repack while another call reads. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=',
  'credential.helper=',
  'protocol.allow=never',
  'fetch.fsckObjects=true',
  'transfer.fsckObjects=true',
  'gc.auto=0',
  'maintenance.auto=false',
  'safe.directory=*',
]

const environment = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=15',
  // For the log of a ref: without a name git asks the system for one, and may fail.
  GIT_COMMITTER_NAME: 'Treadle',
  GIT_COMMITTER_EMAIL: 'treadle@localhost',
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

function start(args: readonly string[], options: GitOptions): Child {
  const protocols = (options.protocols ?? []).map((name) => `protocol.${name}.allow=always`)
  const all = [...settings, ...protocols, ...(options.settings ?? [])]
  const flags = ['-C', options.repository, ...all.flatMap((setting) => ['-c', setting])]
  return spawn('git', [...flags, ...args], {
    cwd: '/', // Another uid may not be able to stand where this process stands.
    env: { ...environment, GIT_CEILING_DIRECTORIES: options.repository.replace(/\/[^/]*\/?$/, '') },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // A group of its own: what git has started ends with it.
    ...options.as,
  })
}

/** Runs git to its end, whatever its exit code. Throws for a deadline, an abort, or too much output. */
export async function tryGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  const child = start(args, options)
  const [exit, output, errors] = await settle(child, options, [
    ended(child),
    collect(child.stdout, options.outputBytesMax ?? outputBytesMaxDefault),
    tail(child.stderr),
    feed(child.stdin, options.input),
  ])
  return { exit, output, errors }
}

/** Runs git and answers what it prints, trimmed. A red exit is a fault that says what git said. */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const { exit, output, errors } = await tryGit(args, options)
  if (exit !== 0) throw fault('git/failed', { detail: `git ${args[0]}: ${errors}`, say: errors })
  return output.toString('utf8').trim()
}

/** Runs git and hands what it prints to `sink` while it comes. */
export async function streamGit(
  args: readonly string[],
  options: GitOptions,
  sink: (output: Readable) => Promise<unknown>,
): Promise<void> {
  const child = start(args, options)
  const [exit, , errors] = await settle(child, options, [
    ended(child),
    sink(child.stdout),
    tail(child.stderr),
    feed(child.stdin, options.input),
  ])
  if (exit !== 0) throw fault('git/failed', { detail: `git ${args[0]}: ${errors}`, say: errors })
}

/** All parts of one child; an abort, the deadline or the first failure kills it and all that it started. */
async function settle<const T extends readonly Promise<unknown>[]>(
  child: Child,
  { signal, msMax }: GitOptions,
  parts: T,
) {
  const late = new AbortController()
  const deadline = setTimeout(() => late.abort(), msMax) // Not AbortSignal.timeout: that one outlives the command.
  const stop = AbortSignal.any(signal ? [late.signal, signal] : [late.signal])
  const kill = () => killGroup(child)
  stop.addEventListener('abort', kill)
  try {
    if (stop.aborted) kill()
    return await Promise.all(parts)
  } catch (error) {
    kill()
    await Promise.allSettled(parts)
    if (!stop.aborted) throw error
  } finally {
    clearTimeout(deadline)
    stop.removeEventListener('abort', kill)
  }
  signal?.throwIfAborted()
  throw fault('git/failed', { say: `It took longer than ${msMax} ms.` })
}

function killGroup({ pid }: Child): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself at this moment.
  }
}

async function ended(child: Child): Promise<number> {
  const [exit] = (await once(child, 'close')) as [number | null]
  if (exit === null) throw fault('git/failed', { say: 'It was killed.' })
  return exit
}

async function collect(stream: Readable, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw fault('git/too-large', { detail: `over ${bytesMax} bytes` })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function tail(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text = (text + chunk).slice(-errorCharsMax)
  return text.trim()
}

async function feed(stdin: Writable, input: GitOptions['input']): Promise<void> {
  if (typeof input === 'object') return ignoringEarlyEnd(pipeline(input, stdin))
  stdin.on('error', () => {}) // git may end before it reads all; its exit code says why.
  stdin.end(input ?? '')
}

/** A git that ends early closes its input; its exit code says more than our broken pipe. */
async function ignoringEarlyEnd(written: Promise<void>): Promise<void> {
  await written.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  })
}
