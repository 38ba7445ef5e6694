// More processes that carry model calls on the same port, for whoever gives the proxy more than one core.
//
// Each worker is a gateway of its own: own ledger, own leases of every budget, own connections to providers. They share the
// port (SO_REUSEPORT: the kernel deals connections out) and the database, and nothing in memory. Sandboxes' lines and the role's
// own routes stay in this process, so what a pass spent is known here without asking anybody.
//
// | state    | enters when                              | leaves when                               |
// | -------- | ---------------------------------------- | ----------------------------------------- |
// | waiting  | the process is forked                    | it says that it listens                   |
// | serving  | it listens                               | it ends                                   |
// | gone     | it ended unasked                         | another is forked on its folder, a while later |
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger, LogLevel } from '#kernel/log.ts'
import type { RoleName, Trust } from '#kernel/tokens.ts'
import type { ProxyConfig } from './config.ts'
import type { Observed, ObserveQuestion } from './observe/observed.ts'

/** What a process needs to be this role. It goes over a pipe: neither arguments nor environment show it. */
export type Identity = {
  databaseUrl: string
  /** The role's own signing key, as PEM. */
  pem: string
  trust: Trust
  /** Where other roles answer. */
  urls: [RoleName, string][]
  /** Null = it says nothing. */
  log: { level: LogLevel; folder: string } | null
}
export type WorkerStart = { identity: Identity; config: ProxyConfig; folder: string; index: number }
/** What a worker is asked for, and answers with the same number. */
type Order = { order: 'flush' | 'refresh' } | { order: 'observe'; question: ObserveQuestion }
export type WorkerOrder = Order & { number: number }
export type WorkerWord =
  | { ready: true }
  | { done: number; error: string | null; observed: Observed | null }

export type Workers = AsyncDisposable & {
  /** All that the workers booked until now is in PostgreSQL when this resolves. */
  flush(): Promise<void>
  /** They have read the tables again when this resolves: no call begins with what was before. */
  refresh(): Promise<void>
  /** What each of them saw, by its number; one that is silent is left out. */
  observe(question: ObserveQuestion): Promise<[worker: number, Observed][]>
}

type Options = {
  count: number
  /** With the port that the first process listens on. */
  config: ProxyConfig
  /** Resolves once the other roles can be called. */
  identity: () => Promise<Identity>
  folder: string
  log: Logger
}

const orderMsMax = 10_000
const restartMsMax = 30_000
const calmMs = 60_000 // A worker that ran for so long may come back at once.
const bookMsMax = 5_000 // Beside the answers under way: to book their ends, and give leases back.

export const noWorkers: Workers = {
  flush: async () => {},
  refresh: async () => {},
  observe: async () => [],
  async [Symbol.asyncDispose]() {},
}

export function startWorkers(options: Options): Workers {
  const stop = new AbortController()
  const serving = new Set<Worker>()
  const running = Array.from({ length: options.count }, (_, index) =>
    keepUp(options, index + 1, serving, stop.signal),
  )
  const askAll = async (order: 'flush' | 'refresh') => {
    await Promise.all([...serving].map((worker) => worker.ask({ order })))
  }
  return {
    flush: () => askAll('flush'),
    refresh: () => askAll('refresh'),
    async observe(question) {
      const asked = [...serving].map(async (worker): Promise<[number, Observed][]> => {
        const observed = await worker.ask({ order: 'observe', question }).catch(() => null) // It ends, or hangs.
        return observed ? [[worker.index, observed]] : []
      })
      return (await Promise.all(asked)).flat()
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

async function keepUp(
  { config, identity, folder, log }: Options,
  index: number,
  serving: Set<Worker>,
  signal: AbortSignal,
): Promise<void> {
  for (let waitMs = 100; !signal.aborted; ) {
    const startedAt = Date.now()
    const own = { folder: join(folder, `worker-${index}`), index }
    const start = { identity: await identity(), config, ...own }
    const worker = new Worker(start, log)
    await worker.run(signal, () => serving.add(worker))
    serving.delete(worker)
    if (signal.aborted) return
    log.error({ worker: index }, 'a worker ended by itself; another goes on with its ledger')
    if (Date.now() - startedAt > calmMs) waitMs = 100
    await sleep(waitMs, undefined, { signal }).catch(() => {}) // An abort ends the loop.
    waitMs = Math.min(waitMs * 2, restartMsMax)
  }
}

const entry = fileURLToPath(new URL('worker-main.ts', import.meta.url))

class Worker {
  readonly #child: ChildProcess
  readonly index: number
  readonly #asked = new Map<number, PromiseWithResolvers<Observed | null>>()
  #last = 0
  readonly #drainMs: number
  #onReady = () => {}

  constructor(start: WorkerStart, log: Logger) {
    this.index = start.index
    this.#drainMs = start.config.drainMs
    this.#child = fork(entry, [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {}, // It needs none, and shows none.
      execArgv: ['--disable-warning=DEP0060'],
    })
    this.#child.on('message', (word: WorkerWord) => this.#hear(word))
    this.#child.on('error', (error) => log.error({ error }, 'a worker can not be spoken to'))
    this.#child.send(start)
  }

  /** Resolves when the process is gone; an abort ends it. */
  async run(signal: AbortSignal, onReady: () => void): Promise<void> {
    this.#onReady = onReady
    const child = this.#child
    const gone = once(child, 'exit')
    const end = () => {
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), this.#drainMs + bookMsMax).unref()
    }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    await gone
    signal.removeEventListener('abort', end)
    for (const { reject } of this.#asked.values()) reject(new Error('the worker ended'))
    this.#asked.clear()
  }

  async ask(order: Order): Promise<Observed | null> {
    const asked = Promise.withResolvers<Observed | null>()
    const number = ++this.#last
    this.#asked.set(number, asked)
    const late = setTimeout(() => asked.reject(new Error('the worker is silent')), orderMsMax)
    this.#child.send({ ...order, number } satisfies WorkerOrder, (error) => {
      if (error) asked.reject(error)
    })
    return asked.promise.finally(() => {
      clearTimeout(late)
      this.#asked.delete(number)
    })
  }

  #hear(word: WorkerWord): void {
    if ('ready' in word) this.#onReady()
    else if (word.error === null) this.#asked.get(word.done)?.resolve(word.observed)
    else this.#asked.get(word.done)?.reject(new Error(word.error))
  }
}
