// Conversations on their way to threads: a local file, sent in the background. Threads may be away for long, and a
// conversation is worth less than a call: beyond its size the oldest go, counted.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '#kernel/fault.ts'
import type { Logger } from '#kernel/log.ts'
import type { Peers } from '#kernel/peers.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { AlikeBody, KnownBody } from './bodies.ts'
import type { ProxyConfig } from './config.ts'
import { openSegments, type Position } from './segments.ts'
import type { TurnHead } from './turn.ts'
import {
  createRequestReader,
  type ReadTurn,
  sentType,
  toLines,
  toPieces,
  toSent,
} from './turn-lines.ts'

export type Turns = AsyncDisposable & {
  /** Never throws: what can't be kept is counted. */
  hand(turn: HandedTurn): void
  /** Turns and bytes that will never arrive. */
  dropped(): { turns: number; bytes: number }
}

export type HandedTurn = {
  head: TurnHead
  request: Buffer
  /** The same for calls that go on from it; null = it is small. */
  known: KnownBody | null
  /** What it goes on from. */
  alike: AlikeBody | null
}

type Options = { folder: string; config: ProxyConfig['turns']; peers: Peers; log: Logger }

// Many go at once, for one check of the token and one transaction; not more, for whoever takes them holds up others.
const batchBytesMax = 512 * 1024
const batchTurnsMax = 64
const secondMs = 1_000
const bytesPerTurn = 32 * 1024 // What a small one costs to keep is not its bytes.
const handMs = 20 // Turns of so long share a write.
const failuresPerLine = 60 // Threads being away is told in the log once a minute, not at each try.

export async function startTurns({ folder, config, peers, log }: Options): Promise<Turns> {
  await using starting = new AsyncDisposableStack()
  const segments = starting.use(openSegments({ ...config, folder, name: 'turns', syncMs: null }))
  const offsetFile = join(folder, 'turns-sent.json')
  let sent = readOffset(offsetFile) ?? segments.start()
  const dropped = { turns: 0, bytes: 0 }
  const second = { beganMs: 0, bytes: 0 }
  let failures = 0
  const requests = createRequestReader(segments)
  let waiting: HandedTurn[] = []

  const send = async (turns: readonly ReadTurn[], signal: AbortSignal): Promise<void> => {
    const body = toSent(turns)
    try {
      const call = { method: 'POST', path: '/internal/turns', body, type: sentType } as const
      await (await peers.call('threads', { ...call, signal })).body.dump()
    } catch (error) {
      const isRefused = error instanceof Fault && [400, 413, 422].includes(error.status)
      if (!isRefused) throw error
      if (turns.length > 1) return sendEach(turns, signal)
      dropped.turns += 1 // It would be refused the next time as well.
      log.warn({ error }, 'a conversation is refused by threads')
    }
  }
  /** One that is refused must not take the others with it. */
  const sendEach = async (turns: readonly ReadTurn[], signal: AbortSignal) => {
    for (const turn of turns) await send([turn], signal)
  }

  /** A burst of calls has the processor first: what it leaves behind is sent when it is over. */
  const pace = async (turns: readonly ReadTurn[], signal: AbortSignal) => {
    const leftMs = second.beganMs + secondMs - performance.now()
    if (leftMs > 0 && second.bytes >= config.bytesPerSecondMax) {
      await sleep(leftMs, undefined, { signal })
    }
    if (performance.now() >= second.beganMs + secondMs) {
      Object.assign(second, { beganMs: performance.now(), bytes: 0 })
    }
    for (const { request } of turns) second.bytes += Math.max(request.length, bytesPerTurn)
  }

  const sendAll = async (signal: AbortSignal) => {
    for (;;) {
      const { bytes, next } = await segments.readBytes(sent, batchBytesMax)
      if (bytes.length === 0) return
      for await (const batch of toBatches(toLines(bytes), next.segment)) {
        await pace(batch, signal)
        await send(batch, signal)
      }
      sent = next
      // Not in step with what was sent after a crash: threads takes a turn twice without harm.
      await writeFile(offsetFile, JSON.stringify(next), { mode: 0o600 })
      segments.discardBefore(next.segment)
    }
  }

  /** As the requests come to once they are put together: many lines may each stand for a large one. */
  async function* toBatches(lines: readonly Buffer[], segment: number) {
    let batch: ReadTurn[] = []
    let bytes = 0
    for (const line of lines) {
      const turn = await requests.read(line, segment)
      if (!turn) {
        dropped.turns += 1 // It was torn when it was written.
        continue
      }
      batch.push(turn)
      bytes += turn.request.length
      if (bytes < batchBytesMax && batch.length < batchTurnsMax) continue
      yield batch
      batch = []
      bytes = 0
    }
    if (batch.length > 0) yield batch
  }

  const work = async (signal: AbortSignal) => {
    try {
      await sendAll(signal)
      failures = 0
    } catch (error) {
      if (!signal.aborted && failures++ % failuresPerLine === 0)
        log.warn({ error }, 'conversations wait for threads')
    }
  }

  const dropOldest = () => {
    const before = segments.bytes()
    segments.discardBefore(segments.start().segment + 1)
    if (segments.bytes() === before) return
    dropped.bytes += before - segments.bytes()
    log.warn({ ...dropped }, 'the oldest conversations are dropped: threads is too far behind')
  }

  const write = () => {
    const turns = waiting
    waiting = []
    const segment = segments.next()
    try {
      if (turns.length > 0) segments.append(toPieces(turns, segment))
      if (segments.bytes() > config.backlogBytesMax) dropOldest()
    } catch (error) {
      for (const { known } of turns) if (known) known.segment = null
      dropped.turns += turns.length
      log.warn({ error, turns: turns.length }, 'conversations are not kept')
    }
  }

  starting.defer(write)
  starting.use(startRepeating(work, config.shipMs, log))
  const started = starting.move()
  return {
    hand(turn) {
      const bytes = turn.request.length
      if (bytes > config.turnBytesMax) {
        dropped.turns += 1
        log.warn({ call: turn.head.call, bytes }, 'a conversation is too large to be kept')
      } else if (waiting.push(turn) === 1) setTimeout(write, handMs)
    },
    dropped: () => ({ ...dropped }),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

function readOffset(path: string): Position | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Position
  } catch {
    return undefined // None yet, or torn: all that is kept is sent again.
  }
}
