// An agent's terminal as asciicast v2, for any player: https://docs.asciinema.org/manual/asciicast/v2
import type { Mark, Size } from './marks.ts'
import type { Tail } from './tail.ts'

type Event = { atMs: number; size: Size; kind: 'o' | 'r'; text: string }

/**
 * Bytes become text: a sequence of UTF-8 that reads cut apart is joined, and what is none becomes U+FFFD. Where the
 * tail, the marks or `bytesMax` don't hold it all, the head is missing, and the times that are left are right.
 */
export function toRecording(tail: Tail, marks: readonly Mark[], bytesMax: number): Buffer {
  const kept = fromStart(marks, tail.startOffset)
  if (kept.length === 0) return Buffer.alloc(0)
  const events = toEvents(tail, kept)
  const lines = lastLines(events, bytesMax - headerBytesMax)
  const first = events[events.length - lines.length] ?? { atMs: kept[0]!.atMs, size: kept[0]! }
  const timestamp = Math.floor(first.atMs / 1_000) // Whole seconds, says the format.
  const header = toHeader(timestamp, first.size)
  const body = lines.map(({ atMs, rest }) => `[${toSeconds(atMs, timestamp)}, ${rest}]\n`)
  return Buffer.from(header + body.join(''))
}

const headerBytesMax = 200
const secondsBytesMax = 20

const toSeconds = (atMs: number, timestamp: number) => (atMs / 1_000 - timestamp).toFixed(3)

const toHeader = (timestamp: number, { cols, rows }: Size) => {
  const header = { version: 2, width: cols, height: rows, timestamp }
  return `${JSON.stringify({ ...header, env: { TERM: 'xterm-256color' } })}\n`
}

/** The marks of what is kept. A piece whose start fell out begins where the tail does. */
function fromStart(marks: readonly Mark[], startOffset: number): Mark[] {
  const next = marks.findIndex(({ offset }) => offset > startOffset)
  const kept = marks.slice(next < 0 ? -1 : Math.max(0, next - 1))
  return kept.map((mark) => ({ ...mark, offset: Math.max(mark.offset, startOffset) }))
}

function toEvents(tail: Tail, marks: readonly Mark[]): Event[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const events: Event[] = []
  let size: Size = marks[0]!
  for (const [index, mark] of marks.entries()) {
    const { atMs, offset, cols, rows } = mark
    if (cols !== size.cols || rows !== size.rows) {
      events.push({ atMs, size, kind: 'r', text: `${cols}x${rows}` })
      size = mark
    }
    const end = marks[index + 1]?.offset ?? tail.totalBytes
    const bytes = tail.slice(offset, end - offset)
    const whole = index === 0 && offset > 0 ? withoutCutHead(bytes) : bytes
    const text = decoder.decode(whole, { stream: end < tail.totalBytes })
    if (text !== '') events.push({ atMs, size, kind: 'o', text })
  }
  return events
}

/** Without the rest of a character whose start is gone: continuation bytes, RFC 3629, at most three. */
function withoutCutHead(bytes: Buffer): Buffer {
  let start = 0
  while (start < 3 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start += 1
  return bytes.subarray(start)
}

/** As many of the last events as fit. */
function lastLines(events: readonly Event[], bytesMax: number) {
  const lines: { atMs: number; rest: string }[] = []
  let leftBytes = bytesMax
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const { atMs, kind, text } = events[index]!
    const rest = `"${kind}", ${JSON.stringify(text)}`
    leftBytes -= Buffer.byteLength(rest) + secondsBytesMax
    if (leftBytes < 0) break
    lines.push({ atMs, rest })
  }
  return lines.reverse()
}
