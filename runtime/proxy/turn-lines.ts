// Conversations as lines of a file: what is known of a call as JSON, a tab, and the request's bytes. A request that goes on from
// one in the same segment is written as what stands between their common start and their common end: so what is written grows
// with what is said anew, not with the conversation, and each segment can be read by itself.
import { type AlikeBody, bodyBytesMin } from './bodies.ts'
import { commonEnd } from './overlap.ts'
import type { Segments } from './segments.ts'
import type { TurnHead } from './turn.ts'
import type { HandedTurn } from './turns.ts'

/** The request without the first `start` and the last `end` bytes, which are those of that call's. */
type Base = { call: string; start: number; end: number }
type WrittenHead = TurnHead & { base?: Base }
type Line = { head: WrittenHead; said: Buffer }
export type ReadTurn = { head: TurnHead; request: Buffer }

const [newline, tab, blank] = [0x0a, 0x09, 0x20]
const newlines = Buffer.from('\n')
const sharedBytesMin = 4 * 1024 // Below that a line of its own is as cheap.

/** Lines without the last one's end, for one append to that segment. */
export function toPieces(turns: readonly HandedTurn[], segment: number): Buffer[] {
  const pieces: Buffer[] = []
  for (const { head, request, known, alike } of turns) {
    const base = alike && alike.known.segment === segment ? toBase(request, alike) : null
    const written: WrittenHead = base ? { ...head, base } : head
    const said = base ? request.subarray(base.start, request.length - base.end) : request
    if (pieces.length > 0) pieces.push(newlines)
    pieces.push(Buffer.from(`${JSON.stringify(written)}\t`), toOneLine(said))
    if (known) known.segment = segment
  }
  return pieces
}

function toBase(request: Buffer, { known, bytes: start }: AlikeBody): Base | null {
  const { call, body } = known
  const end = commonEnd(request, body, Math.min(request.length, body.length) - start)
  return start + end < sharedBytesMin ? null : { call, start, end }
}

/** A line break in JSON is space between two tokens (inside a string it would be no JSON), so a blank means the same. */
function toOneLine(request: Buffer): Buffer {
  let at = request.indexOf(newline)
  if (at < 0) return request
  const line = Buffer.from(request)
  for (; at >= 0; at = line.indexOf(newline, at + 1)) line[at] = blank
  return line
}

/** As threads reads them (NewTurns in its api.ts). */
export const toSent = (turns: readonly ReadTurn[]): Buffer =>
  Buffer.concat(
    turns.flatMap(({ head, request }) => [
      Buffer.from(`${JSON.stringify(head)}\t`),
      request,
      newlines,
    ]),
  )
export const sentType = 'application/x-treadle-turns'

export function toLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0, end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, at)) {
    lines.push(bytes.subarray(at, end))
    at = end + 1
  }
  return lines
}

const recentBytesMax = 48 * 1024 * 1024 // More than the writer remembers (bodies.ts); what is not there is read again.

/** Puts requests together again. Its memory is bounded; what it forgot it reads from the segment's start. */
export function createRequestReader(segments: Pick<Segments, 'readBytes'>) {
  const recent = createRecent()

  const join = (base: Base | undefined, said: Buffer): Buffer | undefined => {
    if (!base) return said
    const before = recent.get(base.call)
    return before && joinBytes(base, before, said)
  }

  /** From the segment's start, along the calls that go on from each other. */
  const readAgain = async (call: string, segment: number): Promise<Buffer | undefined> => {
    const written = new Map<string, Line>()
    for (let from = { segment, offset: 0 }; !written.has(call); ) {
      const { bytes, next } = await segments.readBytes(from, againBytes)
      if (bytes.length === 0 || next.segment !== segment) return undefined
      for (const line of toLines(bytes)) {
        const parsed = parse(line)
        if (parsed) written.set(parsed.head.call, parsed)
      }
      from = next
    }
    const chain: Line[] = []
    for (let at = written.get(call); at; at = written.get(at.head.base?.call ?? '')) chain.push(at)
    let request: Buffer | undefined
    for (const { head, said } of chain.reverse()) {
      if (head.base && !request) return undefined
      request = head.base ? joinBytes(head.base, request!, said) : said
    }
    return request
  }

  return {
    /** Undefined = the line was torn when it was written. */
    async read(line: Buffer, segment: number): Promise<ReadTurn | undefined> {
      const parsed = parse(line)
      if (!parsed) return undefined
      const { base, ...head } = parsed.head
      const request = join(base, parsed.said) ?? (await readAgain(head.call, segment))
      if (!request) return undefined
      recent.put(head.call, request)
      return { head, request }
    },
  }
}

const againBytes = 4 * 1024 * 1024

const joinBytes = ({ start, end }: Base, before: Buffer, said: Buffer): Buffer =>
  Buffer.concat([before.subarray(0, start), said, before.subarray(before.length - end)])

function parse(line: Buffer): Line | undefined {
  const at = line.indexOf(tab) // JSON has no bare tab.
  try {
    const head = JSON.parse(line.toString('utf8', 0, Math.max(0, at))) as WrittenHead
    return { head, said: line.subarray(at + 1) }
  } catch {
    return undefined
  }
}

function createRecent() {
  const requests = new Map<string, Buffer>()
  let bytes = 0
  const forget = (call: string) => {
    bytes -= requests.get(call)?.length ?? 0
    requests.delete(call)
  }
  return {
    get: (call: string) => requests.get(call),
    put(call: string, request: Buffer) {
      forget(call)
      if (request.length < bodyBytesMin) return // Nothing goes on from it.
      requests.set(call, request)
      bytes += request.length
      for (const oldest of requests.keys()) {
        if (bytes <= recentBytesMax) break
        forget(oldest)
      }
    },
  }
}
