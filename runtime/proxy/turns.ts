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
import type { NewTurn } from '../threads/api.ts'
import type { ProxyConfig } from './config.ts'
import { openSegments, type Position } from './segments.ts'
import type { TurnHead } from './turn.ts'

export type Turns = AsyncDisposable & {
  /** Never throws: what can't be kept is counted. */
  hand(turn: TurnHead, request: Buffer): void
  /** Turns and bytes that will never arrive. */
  dropped(): { turns: number; bytes: number }
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
  let waiting: Buffer[] = []

  const send = async (lines: readonly string[], signal: AbortSignal): Promise<void> => {
    const json = { turns: lines.flatMap(toTurn) }
    dropped.turns += lines.length - json.turns.length
    if (json.turns.length === 0) return
    try {
      const call = { method: 'POST', path: '/internal/turns', json, signal } as const
      await (await peers.call('threads', call)).body.dump()
    } catch (error) {
      const isRefused = error instanceof Fault && [400, 413, 422].includes(error.status)
      if (!isRefused) throw error
      if (lines.length > 1) return sendEach(lines, signal)
      dropped.turns += 1 // It would be refused the next time as well.
      log.warn({ error }, 'a conversation is refused by threads')
    }
  }
  /** One that is refused must not take the others with it. */
  const sendEach = async (lines: readonly string[], signal: AbortSignal) => {
    for (const line of lines) await send([line], signal)
  }

  /** A burst of calls has the processor first: what it leaves behind is sent when it is over. */
  const pace = async (lines: readonly string[], signal: AbortSignal) => {
    const leftMs = second.beganMs + secondMs - performance.now()
    if (leftMs > 0 && second.bytes >= config.bytesPerSecondMax) {
      await sleep(leftMs, undefined, { signal })
    }
    if (performance.now() >= second.beganMs + secondMs) {
      Object.assign(second, { beganMs: performance.now(), bytes: 0 })
    }
    for (const { length } of lines) second.bytes += Math.max(length, bytesPerTurn)
  }

  const sendAll = async (signal: AbortSignal) => {
    for (;;) {
      const { lines, next } = await segments.read(sent, batchBytesMax)
      if (lines.length === 0) return
      for (let at = 0; at < lines.length; at += batchTurnsMax) {
        const batch = lines.slice(at, at + batchTurnsMax)
        await pace(batch, signal)
        await send(batch, signal)
      }
      sent = next
      // Not in step with what was sent after a crash: threads takes a turn twice without harm.
      await writeFile(offsetFile, JSON.stringify(next), { mode: 0o600 })
      segments.discardBefore(next.segment)
    }
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
    const pieces = waiting
    waiting = []
    try {
      if (pieces.length > 0) segments.append(pieces)
      if (segments.bytes() > config.backlogBytesMax) dropOldest()
    } catch (error) {
      const turns = pieces.length / piecesPerTurn
      dropped.turns += turns
      log.warn({ error, turns }, 'conversations are not kept')
    }
  }

  starting.defer(write)
  starting.use(startRepeating(work, config.shipMs, log))
  const started = starting.move()
  return {
    hand(turn, request) {
      const head = Buffer.from(`${waiting.length === 0 ? '' : '\n'}${JSON.stringify(turn)}\t`)
      const bytes = head.length + request.length
      if (bytes > config.turnBytesMax) {
        dropped.turns += 1
        log.warn({ call: turn.call, bytes }, 'a conversation is too large to be kept')
      } else if (waiting.push(head, toOneLine(request)) === piecesPerTurn) setTimeout(write, handMs)
    },
    dropped: () => ({ ...dropped }),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const piecesPerTurn = 2 // What is said of it, and the request.
const [newline, blank] = [0x0a, 0x20]

// The body stands as it came, for escaping JSON inside JSON costs more than all else here. A line break in it is
// space between two tokens (inside a string it would be no JSON), so a blank means the same and keeps the line whole.
function toOneLine(request: Buffer): Buffer {
  let at = request.indexOf(newline)
  if (at < 0) return request
  const line = Buffer.from(request)
  for (; at >= 0; at = line.indexOf(newline, at + 1)) line[at] = blank
  return line
}

/** None of a line that was torn when it was written. */
function toTurn(line: string): NewTurn[] {
  const end = line.indexOf('\t') // JSON has no bare tab.
  try {
    return [{ ...(JSON.parse(line.slice(0, end)) as TurnHead), request: line.slice(end + 1) }]
  } catch {
    return []
  }
}

function readOffset(path: string): Position | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Position
  } catch {
    return undefined // None yet, or torn: all that is kept is sent again.
  }
}
