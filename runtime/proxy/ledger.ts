// Every call, from before its first byte goes out: a local file first, PostgreSQL from there.
//
// | state     | enters when                                   | leaves when                                |
// | --------- | --------------------------------------------- | ------------------------------------------ |
// | begun     | its line is written; only then is it sent     | it ends, or the next start finds it open   |
// | settled   | it ended and its usage is exact               | never                                      |
// | estimated | it was cut, lost, or came without usage       | never                                      |
// | denied    | it was refused, and never sent                | never                                      |
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import { bookHolds } from './budgets/booking.ts'
import type { ProxyConfig } from './config.ts'
import { type Begun, type LedgerLine, toBegunLine, toEstimatedLine } from './ledger-line.ts'
import type { Prices } from './prices/prices.ts'
import { Refusal } from './refusal.ts'
import { openSegments, type Position, type Segments } from './segments.ts'
import { findShipped, moveShipped, upsertCalls } from './sql/calls.ts'

export type Books = {
  /** All that was booked until now is in PostgreSQL when this resolves. */
  flush(): Promise<void>
}

/** What of the ledger is in PostgreSQL, to be read once more. */
export type Followed = {
  read(from: Position, bytesMax: number): ReturnType<Segments['read']>
  /** The oldest line that is kept, and the end of what is in PostgreSQL. */
  start(): Position
  end(): Position
  /** From a segment on, to the end. */
  bytesFrom(segment: number): number
}

export type Ledger = AsyncDisposable &
  Books & {
    /**
     * Books a call before it is sent: it is, when this resolves. Calls of one turn of the event loop share a write. Rejects with
     * `ledger/full` when that can't be done: then it must not be sent.
     */
    begin(call: Begun): Promise<void>
    /** Names this ledger among those of all processes, for good. */
    readonly journal: string
    /** Books how a call ended, or that it was denied. Never throws: what the disk refuses waits in memory. */
    end(id: string, line: string): void
    /** Bytes that wait for PostgreSQL, and what shares a segment with them. */
    backlogBytes(): number
    /** For whoever reads along, behind PostgreSQL. The segments that `needs` names are kept for it. */
    follow(needs: () => number): Followed
  }

type Options = {
  folder: string
  config: ProxyConfig['ledger']
  db: DatabasePool
  log: Logger
  now: () => Date
  prices: Prices
}

const batchBytesMax = 1024 * 1024 // One statement's parameter.
const waitingMax = 100_000 // Ends that a full disk refused: no call begins meanwhile, so this is what was in flight.
const flushTriesMax = 5
const lastShipMs = 2_000
const endWaitMs = 5 // A kill within it turns an exact end into an estimate; a record that is asked for does not wait.

export async function startLedger(options: Options): Promise<Ledger> {
  const { folder, config, db, log } = options
  await using starting = new AsyncDisposableStack()
  const journal = readJournalId(folder)
  const segments = starting.use(
    openSegments({
      ...config,
      folder,
      name: 'calls',
      onSyncError: (error) => log.error({ error }, 'the ledger could not be synced'),
    }),
  )
  const open = await replay(segments, options)
  const writer = createWriter(segments, open, log)
  const shipper = createShipper(segments, open, journal, db)
  const work = async () => {
    writer.writeWaiting()
    await shipper.ship()
  }
  await shipper.ship() // The start needs PostgreSQL anyway; what was spent before is then known.
  starting.defer(async () => {
    writer.writeWaiting()
    const late = sleep(lastShipMs, undefined, { ref: false })
    await Promise.race([shipper.ship().catch(() => {}), late]) // What it can't take is shipped at the next start.
  })
  starting.use(startRepeating(work, config.shipMs, log))
  const started = starting.move()
  return {
    journal,
    async begin(call) {
      if (shipper.backlogBytes() > config.backlogBytesMax)
        throw new Refusal('ledger/full', 'It waits for its database.', 5)
      return writer.begin(call)
    },
    end: writer.end,
    backlogBytes: shipper.backlogBytes,
    follow: shipper.follow,
    async flush() {
      writer.writeWaiting()
      await shipper.shipTo(segments.end())
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** Names this file for good: a new file on the same machine must not go on at the old one's offset. */
function readJournalId(folder: string): string {
  const path = join(folder, 'journal-id')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (!existsSync(path)) writeFileSync(path, randomUUID(), { mode: 0o600, flush: true })
  return readFileSync(path, 'utf8')
}

/** Calls without an end, and the segment that each began in: what a segment may not be deleted for. */
type Open = Map<string, number>

/** Ends the calls that the last process left open: they may have been answered, so they are estimated. */
async function replay(segments: Segments, { log, now, prices }: Options): Promise<Open> {
  const left = new Map<string, LedgerLine & { state: 'begun' }>()
  let from = segments.start()
  for (;;) {
    const { lines, next } = await segments.read(from, batchBytesMax)
    if (lines.length === 0) break
    for (const text of lines) {
      const line = parseLine(text)
      if (!line)
        log.error({ bytes: text.length }, 'a line of the ledger is no JSON, and is left out')
      else if (line.state === 'begun') left.set(line.id, line)
      else left.delete(line.id)
    }
    from = next
  }
  for (const line of left.values())
    segments.append(toEstimatedLine(line, now(), prices, 'process ended'))
  if (left.size > 0)
    log.warn(
      { calls: left.size },
      'estimated the calls that were cut by the end of the last process',
    )
  return new Map()
}

/** Beginnings are written at the end of their turn, with the ends that wait; alone those wait a moment for company. */
function createWriter(segments: Segments, open: Open, log: Logger) {
  let waiting: { id: string; line: string }[] = []
  let beginning: { calls: Begun[]; written: PromiseWithResolvers<void> } | undefined

  const write = (more: string[]) => {
    if (waiting.length + more.length === 0) return
    segments.append([...waiting.map(({ line }) => line), ...more].join('\n'))
    for (const { id } of waiting) open.delete(id) // Not before: its beginning may not be deleted until then.
    waiting = []
  }

  const writeBeginnings = () => {
    if (!beginning) return
    const { calls, written } = beginning
    beginning = undefined
    try {
      write(calls.map(toBegunLine))
    } catch (error) {
      log.error(
        { error, calls: calls.length },
        'the ledger could not be written: calls are refused',
      )
      return written.reject(new Refusal('ledger/full', undefined, 5))
    }
    const { segment } = segments.end()
    for (const { facts } of calls) open.set(facts.id, segment)
    written.resolve()
  }

  const flushLater = () => {
    try {
      write([])
    } catch (error) {
      log.error({ error }, 'the ends of calls wait for the disk')
    }
  }

  return {
    /** Writes what waits. Throws while the disk refuses. */
    writeWaiting: () => write([]),
    begin(call: Begun): Promise<void> {
      if (!beginning) {
        beginning = { calls: [], written: Promise.withResolvers() }
        setImmediate(writeBeginnings)
      }
      beginning.calls.push(call)
      return beginning.written.promise
    },
    end(id: string, line: string) {
      if (waiting.length >= waitingMax) {
        log.error({ call: id }, 'the end of a call is lost: its next start will estimate it')
      } else if (waiting.push({ id, line }) === 1) setTimeout(flushLater, endWaitMs)
    },
  }
}

function createShipper(segments: Segments, open: Open, journal: string, db: DatabasePool) {
  let shipped: Position | undefined
  /** What PostgreSQL has, null = nothing; undefined = not known, for the answer to a commit may be lost. */
  let stored: Position | null | undefined
  let running: Promise<void> | undefined
  const followers: (() => number)[] = []
  let isStarted = false // Until then nothing is deleted: whoever follows is not there yet.

  const run = async () => {
    if (stored === undefined) {
      stored = await findStored()
      shipped = stored ?? segments.start()
    }
    for (;;) {
      const { lines, next } = await segments.read(shipped!, batchBytesMax)
      if (lines.length === 0) {
        shipped = next // Perhaps the beginning of a new segment, where nothing is to be shipped yet.
        return
      }
      const before = stored
      stored = undefined
      await db.transaction(async (transaction) => {
        if (!(await transaction.maybeOne(moveShipped(journal, before, next))))
          throw new Error('the ledger was shipped by somebody else meanwhile')
        await transaction.query(upsertCalls(toRows(lines)))
        await bookHolds(transaction, journal, lines)
      })
      stored = next
      shipped = next
      if (isStarted) segments.discardBefore(oldestNeeded(next))
    }
  }

  const findStored = async (): Promise<Position | null> => {
    const row = await db.maybeOne(findShipped(journal))
    return row && { segment: row.segment, offset: row.byte_offset }
  }

  const oldestOwn = (segment: number) => {
    const [first] = open.values() // In the order they began.
    return Math.min(segment, first ?? segment)
  }
  const oldestNeeded = ({ segment }: Position) =>
    Math.min(oldestOwn(segment), ...followers.map((needs) => needs()))

  const ship = () => {
    running ??= run().finally(() => {
      running = undefined
      isStarted = true
    })
    return running
  }

  return {
    ship,
    async shipTo(end: Position) {
      for (let tries = 0; tries < flushTriesMax; tries += 1) {
        await ship() // The first one may have been on its way before the last line was written.
        if (shipped && isAtOrAfter(shipped, end)) return
      }
      throw new Error('the ledger grows faster than it is shipped')
    },
    /** What is kept and not shipped, and what shares a segment with that. What followers keep is their own affair. */
    backlogBytes: () =>
      followers.length === 0 || !shipped
        ? segments.bytes()
        : segments.bytesFrom(oldestOwn(shipped.segment)),
    follow(needs: () => number): Followed {
      followers.push(needs)
      return follow(segments, () => shipped ?? segments.start())
    },
  }
}

/** A segment that is shipped to its end may be read to its end; of the one that is not, no more than is shipped. */
const follow = (segments: Segments, end: () => Position): Followed => ({
  start: segments.start,
  end,
  bytesFrom: segments.bytesFrom,
  read(from, bytesMax) {
    const { segment, offset } = end()
    if (isAtOrAfter(from, { segment, offset })) return Promise.resolve({ lines: [], next: from })
    const left = from.segment === segment ? offset - from.offset : bytesMax
    return segments.read(from, Math.min(bytesMax, left))
  },
})

const isAtOrAfter = (one: Position, other: Position) =>
  one.segment > other.segment || (one.segment === other.segment && one.offset >= other.offset)

/** A power cut can leave a line of zeros. Undefined for that. */
function parseLine(text: string): LedgerLine | undefined {
  try {
    return JSON.parse(text) as LedgerLine
  } catch {
    return undefined // The caller says so in the log, once, at the start.
  }
}

const idAtStart = /^\{"id":"([\w-]+)"/ // As every line is written; parsing each would cost more than sending it.

/** One row a call: of several lines, the last. A statement may not touch a row twice. */
function toRows(lines: readonly string[]): string {
  const byId = new Map<string, string>()
  for (const text of lines) {
    const id = idAtStart.exec(text)?.[1]
    if (id !== undefined) byId.set(id, text)
  }
  return `[${[...byId.values()].join(',')}]`
}
