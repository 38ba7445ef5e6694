// Starts what was planned, and watches it end.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { StartPlan } from './plan.ts'

export type Daemon = {
  pid: number
  /**
   * Resolves when the daemon says that it listens, with what it says more, as JSON; rejects when it
   * ended before, with its last words.
   */
  ready: Promise<string>
  /** The first and only line that it hears from us. */
  say(line: string): void
  /**
   * Resolves when the process that was started is gone; what it started may take a moment longer.
   */
  ended: Promise<void>
}

/** Its standard input is a pipe of ours: when this process is gone, the daemon reads its end. */
export function applyStart({ argv, env }: StartPlan, filterFile: string | null): Daemon {
  const filter = filterFile === null ? null : openSync(filterFile, 'r')
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: '/',
    env,
    // Its own session: Ctrl-C at a terminal ends treadle, which then ends its sandboxes in order.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', ...(filter === null ? [] : [filter])],
  })
  if (filter !== null) closeSync(filter)
  child.stdin!.on('error', () => {}) // It closes when the daemon ends; `ended` tells that.
  const words = keepLastWords([child.stdout!, child.stderr!])
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const said = /^ready (.*)\n/m.exec(words())?.[1]
      if (said !== undefined) resolve(said)
    })
    child.once('close', (code, name) => reject(new Error(`ended with ${name ?? code}: ${words()}`)))
    child.once('error', reject)
  })
  ready.catch(() => {}) // Whoever waits for it hears it; a daemon that ends later is no error here.
  if (child.pid === undefined) throw new Error(`${argv[0]} can't be started.`)
  const say = (line: string) => void child.stdin!.write(`${line}\n`)
  return { pid: child.pid, ready, say, ended }
}

// What the daemon measured, or an error and where it came from. The agent can write here too, so it
// is never more.
const wordsMax = 8_000

function keepLastWords(streams: readonly NodeJS.ReadableStream[]): () => string {
  let last = ''
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      last = (last + chunk.toString('latin1')).slice(-wordsMax)
    })
  }
  return () => last
}
