// `npm start` as a user types it, through npm itself, in a process group of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Line } from './appliance.ts'

export type Started = AsyncDisposable & {
  npm: ChildProcess
  lines: Line[]
  /** What went to stderr. */
  said(): string
  ready(): Promise<Line>
  /** Resolves once this many lines of a kind are there. */
  until(event: string, count: number, msMax?: number): Promise<Line[]>
  /** npm's exit code; null after a signal. */
  ended(): Promise<number | null>
}

type Where = { folder: string; home: string; uid?: number | undefined }

export function npmStart({ folder, home, uid }: Where, ...flags: string[]): Started {
  const identity = uid === undefined ? {} : { uid, gid: uid }
  const args = ['start', '--silent', '--', '--json', '--port=0', '--proxy-port=0', ...flags]
  const npm = spawn('npm', args, {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...identity,
  })
  const lines: Line[] = []
  let errors = ''
  createInterface({ input: npm.stdout }).on('line', (text) => lines.push(JSON.parse(text) as Line))
  npm.stderr.on('data', (text) => (errors += text))
  const exited = once(npm, 'exit').then(([code]) => code as number | null)
  const until = async (event: string, count: number, msMax = 60_000) => {
    for (const deadline = Date.now() + msMax; Date.now() < deadline; await sleep(50)) {
      const found = lines.filter((line) => line.event === event)
      if (found.length >= count) return found
      if (npm.exitCode !== null) break
    }
    throw new Error(`${count} lines of ${event} did not come: ${errors}`)
  }
  return {
    npm,
    lines,
    until,
    said: () => errors,
    ready: async () => (await until('ready', 1))[0]!,
    ended: () => exited,
    async [Symbol.asyncDispose]() {
      npm.kill('SIGTERM')
      await exited
    },
  }
}
