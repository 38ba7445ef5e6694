// Runs one program to its end, within limits of time and output.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { kill } from './processes.ts'
import { createTail } from './tail.ts'

export type Run = {
  argv: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
  timeoutMs: number
  /** So much of the output is kept, its end; of the error output always 64 KiB. */
  outputBytesMax: number
  input?: string
  /** Handed on as descriptor 3. */
  descriptor?: number
  /** Ends it as the time-out does. */
  signal?: AbortSignal
}
export type Ran = {
  /** 124 after a time-out, 128 + n after signal n, 127 where the program is missing. */
  exit: number
  ms: number
  timedOut: boolean
  output: Buffer
  outputBytes: number
  errorOutput: Buffer
}

const errorBytesMax = 64 * 1024
const drainMsMax = 1_000 // What left the group may hold the pipe open; the result doesn't wait for it.

/** The program is the head of a process group of its own, and the whole group ends with it. */
export async function run(options: Run): Promise<Ran> {
  options.signal?.throwIfAborted()
  const startedAt = performance.now()
  const [file, ...args] = options.argv
  const output = createTail(options.outputBytesMax)
  const errorOutput = createTail(errorBytesMax)
  const child = spawn(file!, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: [
      options.input === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(options.descriptor === undefined ? [] : [options.descriptor]),
    ],
  })
  child.stdout!.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => errorOutput.push(chunk))
  child.stdin?.on('error', () => {}) // It need not read what it is given.
  child.stdin?.end(options.input)

  let timedOut = false
  const killGroup = () => child.pid !== undefined && kill(-child.pid, 'SIGKILL')
  const limit = setTimeout(() => {
    timedOut = true
    killGroup()
  }, options.timeoutMs)
  options.signal?.addEventListener('abort', killGroup, { once: true })
  try {
    const exit = await exitOf(child)
    killGroup()
    await drained(child)
    return {
      exit: timedOut ? 124 : exit,
      ms: Math.round(performance.now() - startedAt),
      timedOut,
      output: output.last(),
      outputBytes: output.totalBytes,
      errorOutput: errorOutput.last(),
    }
  } finally {
    clearTimeout(limit)
    options.signal?.removeEventListener('abort', killGroup)
  }
}

type Child = ReturnType<typeof spawn>

async function exitOf(child: Child): Promise<number> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + constants.signals[signal!]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 127
    throw error
  }
}

async function drained(child: Child): Promise<void> {
  const streams = [child.stdout!, child.stderr!]
  const cut = setTimeout(() => streams.forEach((stream) => void stream.destroy()), drainMsMax)
  await Promise.all(streams.map((stream) => stream.closed || once(stream, 'close')))
  clearTimeout(cut)
}
