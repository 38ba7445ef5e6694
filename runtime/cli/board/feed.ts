// What the server tells of loops, told on: a list first, then each change, and again after every break.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Live, LoopPage, LoopSummary } from '../../spool/api.ts'
import type { Client } from '../client.ts'
import { pathOf } from '../command.ts'
import { Failure, failure } from '../errors.ts'
import { loopPath } from '../loop-id.ts'
import { readSent, type Sent } from './sse.ts'
import { type Happening, loopsMax } from './state.ts'

// | state   | enters when                              | leaves when                              |
// | ------- | ---------------------------------------- | ---------------------------------------- |
// | reading | the server says hello                    | the stream ends, breaks, or falls silent |
// | waiting | reading was left, or never came about    | its pause is over, and the server greets |
// | over    | the server refuses; `stopped` is aborted | never                                    |

export type FeedOptions = {
  connect(): Promise<Client>
  tell(what: Happening): void
  /** Those that are watched; empty = all. */
  only: readonly string[]
  stopped: AbortSignal
}

const silentMsMax = 12_000 // The server says something every 5 s.
const pauseMsMin = 200
const pauseMsMax = 2_000 // A person is waiting.
const pageMax = 200 // The server's largest.

/** Ends when it is stopped; fails when the server refuses. */
export async function runFeed(options: FeedOptions): Promise<void> {
  const { tell, stopped } = options
  let pauseMs = pauseMsMin
  while (!stopped.aborted) {
    try {
      await follow(options, () => {
        pauseMs = pauseMsMin
      })
    } catch (error) {
      if (stopped.aborted) return
      if (error instanceof Failure && !error.isPassing) throw error
      tell({ kind: 'link', state: 'lost', why: (error as Error).message })
    }
    await sleep(pauseMs, undefined, { signal: stopped }).catch(() => {}) // The loop ends then.
    pauseMs = Math.min(pauseMs * 2, pauseMsMax)
  }
}

async function follow(options: FeedOptions, onHello: () => void): Promise<void> {
  await using client = await options.connect()
  const close = () => void client[Symbol.asyncDispose]()
  options.stopped.addEventListener('abort', close)
  try {
    const { body } = await client.call('/api/loops/live', { silentMsMax })
    const reader = createReader(options, client)
    for await (const sent of readSent(body.setEncoding('utf8') as AsyncIterable<string>)) {
      if (sent.name === 'hello') onHello()
      reader.take(sent)
      reader.check()
    }
  } finally {
    options.stopped.removeEventListener('abort', close)
  }
  throw failure('cli/lost', 'The server ended the connection.')
}

function createReader({ tell, only }: FeedOptions, client: Client) {
  // What changed while the list was on its way is newer than what the list says.
  let changed: Map<string, LoopSummary> | undefined
  let broken: unknown
  const isWanted = (id: string) => only.length === 0 || only.includes(id)
  const readList = async () => {
    if (changed) return
    const newer = new Map<string, LoopSummary>()
    changed = newer
    try {
      const { items, total } = await listLoops(client, only)
      tell({ kind: 'list', items: items.map((loop) => newer.get(loop.id) ?? loop), total })
      for (const loop of newer.values()) tell({ kind: 'loop', loop })
      tell({ kind: 'link', state: 'live', why: '' })
    } catch (error) {
      // A database that is down is no break: the server tells when it is up.
      if (!(error instanceof Failure && error.isPassing)) broken = error
    } finally {
      changed = undefined
    }
  }
  return {
    check() {
      if (broken !== undefined) throw broken
    },
    take({ name, data }: Sent) {
      if (name === 'hello') void readList()
      else if (name === 'loop') {
        const loop = toLive('loop', data)
        if (!isWanted(loop.id)) return
        changed?.set(loop.id, loop)
        tell({ kind: 'loop', loop })
      } else if (name === 'event') {
        const event = toLive('event', data)
        if (isWanted(event.loop)) tell({ kind: 'event', event })
      } else if (name === 'health') {
        const { database } = toLive('health', data)
        tell({ kind: 'database', state: database })
        if (database === 'up') void readList()
      }
    },
  }
}

function toLive<Name extends keyof Live>(_: Name, data: string): Live[Name] {
  try {
    return JSON.parse(data) as Live[Name]
  } catch (cause) {
    throw failure('cli/answer', 'An event is no JSON.', { cause })
  }
}

/** The newest, and whatever is not over yet, however old. */
export async function listLoops(
  client: Client,
  only: readonly string[],
): Promise<{ items: LoopSummary[]; total: number }> {
  if (only.length > 0) {
    const read = async (id: string) => client.json<LoopSummary>(await loopPath(client, id))
    const items = await Promise.all(only.map(read))
    return { items, total: items.length }
  }
  const page = (query: Record<string, string | number>) =>
    client.json<LoopPage>(pathOf('/api/loops', { limit: pageMax, ...query }))
  const [newest, going] = await Promise.all([page({}), page({ state: 'queued,running,paused' })])
  const found = new Map([...going.items, ...newest.items].map((loop) => [loop.id, loop]))
  return { items: [...found.values()].slice(0, loopsMax), total: newest.total }
}
