// Runs one program to its end, within limits of time and output.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { fs } from './builtin.ts'
import { openPipe } from './pipe.ts'
import { kill } from './processes.ts'
import { createTail, type Tail } from './tail.ts'

export type Run = {
  argv: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
  timeoutMs: number
  /** `together`: error output goes to the output, in the order in which both were written. */
  outputs: 'apart' | 'together'
  /** So much of the output is kept, its end; of error output apart always 64 KiB. */
  outputBytesMax: number
  input?: string
  /** Handed on as descriptor 3. */
  descriptor?: number
  /** Ends it as the time-out does. */
  signal?: AbortSignal
}
export type Ran = {
  /** 124 after a time-out, 128 + n after signal n, 127 where the program is missing, 126 where it is none. */
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
  const startedAt = process.hrtime.bigint() // The clock of `performance` is loaded at its first use.
  const { child, outputs } = await start(options)
  const [output, errorOutput] = [createTail(options.outputBytesMax), createTail(errorBytesMax)]
  outputs[0].on('data', (chunk: Buffer) => output.push(chunk))
  outputs[1]?.on('data', (chunk: Buffer) => errorOutput.push(chunk))

  let timedOut = false
  const killGroup = () => child.pid !== undefined && kill(-child.pid, 'SIGKILL')
  const limit = setTimeout(() => {
    timedOut = true
    killGroup()
  }, options.timeoutMs)
  options.signal?.addEventListener('abort', killGroup, { once: true })
  try {
    const exit = await exitOf(child, output)
    killGroup()
    await drained(outputs)
    return {
      exit: timedOut ? 124 : exit,
      ms: Math.round(Number(process.hrtime.bigint() - startedAt) / 1e6),
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
type Started = { child: Child; outputs: readonly [Readable, Readable?] }

async function start({ argv, cwd, env, outputs, input, descriptor }: Run): Promise<Started> {
  const [file, ...args] = argv
  const pipe = outputs === 'together' ? await openPipe() : undefined
  const output = pipe?.to ?? 'pipe'
  const stdin = input === undefined ? 'ignore' : 'pipe'
  const handedOn = descriptor === undefined ? [] : [descriptor]
  const stdio = [stdin, output, output, ...handedOn] as const
  try {
    const child = spawn(file!, args, { cwd, env, detached: true, stdio: [...stdio] })
    child.stdin?.on('error', () => {}) // It need not read what it is given.
    child.stdin?.end(input)
    return { child, outputs: pipe ? [pipe.from] : [child.stdout!, child.stderr!] }
  } finally {
    if (pipe) fs.closeSync(pipe.to)
  }
}

const exitByError: Readonly<Record<string, number>> = { ENOENT: 127, EACCES: 126 }

/** What can't start says so in its output, as a shell would. */
async function exitOf(child: Child, output: Tail): Promise<number> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + constants.signals[signal!]
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const exit = exitByError[code]
    if (exit === undefined) throw error
    output.push(Buffer.from(`${message}\n`))
    return exit
  }
}

async function drained(outputs: Started['outputs']): Promise<void> {
  const open = outputs.filter((stream) => stream !== undefined && !stream.closed) as Readable[]
  const cut = setTimeout(() => {
    for (const stream of open) stream.destroy()
  }, drainMsMax)
  await Promise.all(open.map((stream) => once(stream, 'close')))
  clearTimeout(cut)
}
