// What both exports share: they read along behind PostgreSQL, at their own pace, and keep the ledger's segments only up to
// a size. Who is further behind than that loses the oldest, counted: an address that is wrong must not fill the disk.
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { ExportedCall } from '../../api.ts'
import type { Followed, Ledger } from '../../ledger.ts'
import type { Position } from '../../segments.ts'
import { toExportedCalls } from './exported-call.ts'

export type Piece = { calls: readonly ExportedCall[]; from: Position; next: Position }
export type Follower = AsyncDisposable & { skippedBytes(): number; sentCalls(): number }

type Options = {
  ledger: Ledger
  log: Logger
  /** Where it went on from last; undefined = from what is booked from now on. */
  from: Position | undefined
  backlogBytesMax: number
  callsMax: number
  everyMs: number
  /** Told once, where there was no such place: to be remembered before anything is taken from there. */
  begin(at: Position): void
  /** Resolves when the piece is where it should be, and that is written down; a failure is tried again, by its own rule. */
  take(piece: Piece, signal: AbortSignal): Promise<void>
}

const bytesPerCall = 1_024 // Most are shorter: a read brings some calls more or less, and is cut to what may go at once.
const failuresPerLine = 60

export function followLedger(options: Options): Follower {
  const { ledger, log, callsMax } = options
  let at = options.from
  let failures = 0
  const counts = { skipped: 0, sent: 0 }
  const followed = ledger.follow(() => skip()?.segment ?? followed.end().segment)

  /** Asked by the ledger as well, before it deletes: an export that waits holds no more than it may. */
  const skip = (): Position | undefined => {
    if (!at) return undefined
    const { place, bytes } = skipWhatIsTooMuch(followed, at, options.backlogBytesMax)
    at = place
    counts.skipped += bytes
    if (bytes > 0)
      log.warn({ bytes }, 'the oldest calls are left out of the export: it is too far behind')
    return at
  }

  const work = async (signal: AbortSignal) => {
    if (!at) {
      at = followed.end()
      options.begin(at)
    }
    try {
      while (!signal.aborted) {
        const piece = await readPiece(followed, skip()!, callsMax)
        if (!piece) return
        if (piece.calls.length > 0) await options.take(piece, signal)
        counts.sent += piece.calls.length
        if (isBefore(at, piece.next)) at = piece.next // Unless the ledger took even more away meanwhile.
        failures = 0
      }
    } catch (error) {
      if (!signal.aborted && failures++ % failuresPerLine === 0)
        log.warn({ why: toReason(error) }, 'calls wait to be exported')
    }
  }

  const running = startRepeating(work, options.everyMs, log)
  return {
    skippedBytes: () => counts.skipped,
    sentCalls: () => counts.sent,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

const isBefore = (one: Position, other: Position) =>
  one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset)

/** Whole segments go; the one that is written now stays. */
function skipWhatIsTooMuch(followed: Followed, from: Position, bytesMax: number) {
  const place = startOf(followed, from)
  const last = followed.end().segment
  let { segment } = place
  while (segment < last && followed.bytesFrom(segment) > bytesMax) segment += 1
  if (segment === place.segment) return { place, bytes: 0 }
  const bytes = followed.bytesFrom(place.segment) - place.offset - followed.bytesFrom(segment)
  return { place: { segment, offset: 0 }, bytes: Math.max(0, bytes) }
}

/** What was kept no longer is passed by. */
function startOf(followed: Followed, from: Position): Position {
  const start = followed.start()
  return from.segment < start.segment ? start : from
}

/** Null at the end. */
async function readPiece(
  followed: Followed,
  from: Position,
  callsMax: number,
): Promise<Piece | null> {
  const { lines, next } = await followed.read(from, callsMax * bytesPerCall)
  if (lines.length === 0) return null
  const calls: ExportedCall[] = []
  let bytes = 0
  for (const line of lines) {
    const ended = toExportedCalls(line)
    if (calls.length + ended.length > callsMax) {
      return {
        calls,
        from,
        next: { segment: next.segment, offset: next.offset - leftOf(lines, bytes) },
      }
    }
    calls.push(...ended)
    bytes += Buffer.byteLength(line) + 1
  }
  return { calls, from, next }
}

const leftOf = (lines: readonly string[], bytes: number) =>
  lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0) - bytes

/** The code alone: an error's message may hold an address with a password. */
const toReason = (error: unknown) =>
  (error as { code?: string }).code ?? (error instanceof ExportRefused ? error.message : 'unknown')

/** What a receiver answered, in words of ours. */
export class ExportRefused extends Error {
  override readonly name = 'ExportRefused'
}
