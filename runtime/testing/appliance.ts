// The whole of Treadle as a process of its own, as `npm start` runs it, on a state folder that a test owns.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Loop, NewLoopInput, Pass } from '../spool/api.ts'
import { type Client, createOwnerClient } from '../start/watch.ts'
import { copyCluster } from './cluster.ts'
import { shareReadable } from './programs.ts'

/** A line of `--json`. */
export type Line = { event: string; [key: string]: unknown }

export type TestAppliance = AsyncDisposable & {
  state: string
  pid: number
  url: string
  proxyUrl: string
  client: Client
  /** Every line so far. */
  lines: readonly Line[]
  submit(loop: NewLoopInput): Promise<Loop>
  loop(id: string): Promise<Loop>
  passes(id: string): Promise<Pass[]>
  /** Waits for the loop's end, or fails with what it had come to. */
  ended(id: string, msMax?: number): Promise<Loop>
  /** Resolves as soon as `isTrue` answers something; asked often. */
  until<T>(what: string, isTrue: () => Promise<T | undefined | false>, msMax?: number): Promise<T>
  stop(signal: NodeJS.Signals): Promise<number | null>
  /** Starts again on the same state folder. */
  start(): Promise<void>
}

const entry = fileURLToPath(new URL('../main.ts', import.meta.url))

export async function startAppliance(...flags: string[]): Promise<TestAppliance> {
  const state = mkdtempSync(join(tmpdir(), 'treadle-'))
  chmodSync(state, 0o711)
  await copyCluster(join(state, 'postgres'))
  await shareReadable(state)
  const lines: Line[] = []
  let child: ChildProcess
  let ready: Line
  let client: Client
  const start = async () => {
    const args = [`--state=${state}`, '--port=0', '--proxy-port=0', '--json', '--no-demo', ...flags]
    const options = ['--disable-warning=DEP0060', entry, ...args]
    child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] })
    ready = await firstReady(child, lines)
    client = createOwnerClient(ready.url as string, state)
  }
  await start()

  const loop = (id: string) => client.get<Loop>(`/api/loops/${id}`)
  const until = async <T>(
    what: string,
    isTrue: () => Promise<T | undefined | false>,
    msMax = 60_000,
  ) => {
    for (const deadline = Date.now() + msMax; Date.now() < deadline; await sleep(50)) {
      const found = await isTrue().catch(() => undefined) // Away for the moment: that is what some tests are about.
      if (found) return found
    }
    throw new Error(`Waited in vain for ${what}.`)
  }
  const stop = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    return child.exitCode
  }
  const appliance: TestAppliance = {
    state,
    lines,
    loop,
    until,
    stop,
    start,
    get pid() {
      return child.pid!
    },
    get url() {
      return ready.url as string
    },
    get proxyUrl() {
      return ready.proxyUrl as string
    },
    get client() {
      return client
    },
    submit: (spec) => client.post<Loop>('/api/loops', spec),
    passes: (id) => client.get<Pass[]>(`/api/loops/${id}/passes`),
    async ended(id, msMax = 120_000) {
      const over = async () => {
        const found = await loop(id)
        return found.state === 'ended' && found
      }
      return until(`the end of ${id}`, over, msMax).catch(async (error: Error) => {
        const found = await loop(id)
        throw new Error(`${error.message} It is ${found.state}: ${found.reason}\n${logTail(state)}`)
      })
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGTERM')
      rmSync(state, { recursive: true, force: true })
    },
  }
  return appliance
}

async function firstReady(child: ChildProcess, lines: Line[]): Promise<Line> {
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  const { promise, resolve, reject } = Promise.withResolvers<Line>()
  child.once('exit', (code) => reject(new Error(`Treadle ended with ${code}: ${said}`)))
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as Line
    lines.push(line)
    if (line.event === 'ready') resolve(line)
  })
  return promise
}

const logTail = (state: string) =>
  readFileSync(join(state, 'logs/treadle.log'), 'utf8')
    .split('\n')
    .filter((line) => !line.includes('"decision"'))
    .slice(-8)
    .map((line) => line.slice(0, 600))
    .join('\n')
