// Messages made at random from seeds, read by the strict readers, by Node's parser, and by a third one that is written from the
// grammar alone. What the strict reader takes, all must read in the same way: method, target, headers, body, and where it ends.
import { createRequire } from 'node:module'
import { readLength } from '../../fields.ts'
import { ResponseReader } from '../../upstream/response.ts'
import { readRequestHead } from '../request.ts'

export type Read = { start: string; headers: readonly string[]; body: string; bytes: number }
/** Null = not taken. */
export type Reader = (message: Buffer) => Read | null
export type Disagreement = {
  message: Buffer
  strict: Read
  other: Read | null
  by: 'node' | 'grammar'
}

/** A small generator of numbers, the same for the same seed (mulberry32). */
export function createDice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

const pieces = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '+',
  '0',
  '0x',
  '\x80',
  '\xff',
  '\r\n\r\n',
  '\n\n',
  'content-length: 2\r\n',
  'Content-Length: 5\r\n',
  'content-length : 2\r\n',
  'content-length:\r\n',
  'content-length: 2, 2\r\n',
  'content-length: +2\r\n',
  'content-length: 0x2\r\n',
  'content-length: 2 \r\n',
  'content_length: 9\r\n',
  'transfer-encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'transfer-encoding:\tchunked\r\n',
  'transfer-encoding: identity\r\n',
  'transfer-encoding: xchunked\r\n',
  'transfer-encoding: chunked, chunked\r\n',
  ' transfer-encoding: chunked\r\n',
  'x: a\r\n b\r\n',
  'host: y\r\n',
  'host : y\r\n',
  'connection: close\r\n',
  'connection: x\r\n',
  'upgrade: websocket\r\n',
  'expect: 100-continue\r\n',
  'trailer: x\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  'http/1.1',
  'HTTP/1.10',
  'GET / HTTP/1.1\r\nhost: z\r\n\r\n',
  '2\r\n{}\r\n',
  '0\r\n\r\n',
  '2;a=b\r\n',
  '#',
  '%',
  '..',
  '/',
  '//',
  '?',
  'http://y/',
] as const

const requestSeeds = [
  'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}',
  'POST /v1/messages?beta=true HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\naccept: */*\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n{"a"}GET / HTTP/1.1\r\nhost: x\r\n\r\n',
  'GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n',
  'HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  'POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
]
const responseSeeds = [
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\na;x=y\r\n0123456789\r\n0\r\n\r\n',
  'HTTP/1.1 529 \r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-t: 1\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nkeep-alive: timeout=5\r\n\r\n',
]
export const seedsOf = { request: requestSeeds, response: responseSeeds } as const
export type Kind = keyof typeof seedsOf

const mutationsMax = 4

/** One message: a seed with some of its bytes turned, cut, doubled, or with pieces put between. */
export function mutate(seed: string, dice: (sides: number) => number): Buffer {
  let text = seed
  for (let left = dice(mutationsMax + 1); left > 0; left -= 1) {
    const at = dice(text.length + 1)
    const to = Math.min(text.length, at + 1 + dice(12))
    const lineAt = text.lastIndexOf('\n', at) + 1
    switch (dice(6)) {
      case 0:
        text = text.slice(0, at) + String.fromCharCode(dice(256)) + text.slice(at + 1)
        break
      case 1:
        text = text.slice(0, at) + text.slice(to)
        break
      case 2:
        text = text.slice(0, to) + text.slice(at)
        break
      case 3:
        text = text.slice(0, at) + pieces[dice(pieces.length)] + text.slice(at)
        break
      default: // Most classes of smuggling are whole lines.
        text = text.slice(0, lineAt) + pieces[dice(pieces.length)] + text.slice(lineAt)
    }
  }
  return Buffer.from(text, 'latin1')
}

export const readStrictRequest: Reader = (message) => {
  const head = readRequestHead(message)
  if (typeof head === 'string') return null
  const bytes = head.bytes + head.length
  if (message.length < bytes) return null
  const body = message.toString('latin1', head.bytes, bytes)
  return { start: `${head.method} ${head.target}`, headers: head.headers, body, bytes }
}

export const readStrictResponse: Reader = (message) => {
  const reader = new ResponseReader('POST')
  let body = ''
  const events = {
    onHead: () => {},
    onData: (payload: Buffer) => {
      body += payload.toString('latin1')
    },
  }
  try {
    const bytes = reader.take(message, events)
    if (!reader.isOver) return null
    const { status, headers } = reader.head!
    return { start: `${status}`, headers, body, bytes }
  } catch {
    return null // Refused.
  }
}

type NodeParser = {
  [event: number]: (...args: never[]) => unknown
  initialize(kind: number, resource: object): void
  execute(bytes: Buffer): number | Error
}
type NodeParserClass = (new () => NodeParser) & Readonly<Record<string, number>>
// Node's parser has no public door of its own: a server around it would make a long run a hundred times longer.
const { HTTPParser } = createRequire(import.meta.url)('node:_http_common') as {
  HTTPParser: NodeParserClass
}
const onHeadersComplete = HTTPParser.kOnHeadersComplete! | 0
const onBody = HTTPParser.kOnBody! | 0
const onMessageComplete = HTTPParser.kOnMessageComplete! | 0
const methods = ['DELETE', 'GET', 'HEAD', 'POST', 'PUT'] // As llhttp numbers them.

/** Node's own, up to the end of the first message that is not informational. */
export const readByNode = (kind: Kind): Reader => {
  return (message) => {
    const parser = new HTTPParser()
    parser.initialize(kind === 'request' ? HTTPParser.REQUEST! : HTTPParser.RESPONSE!, {})
    let read: Read | null = null
    let start = ''
    let headers: string[] = []
    let body = ''
    parser[onHeadersComplete] = (...args: unknown[]) => {
      const [, , raw, method, target, status] = args as [0, 0, string[], number, string, number]
      start = kind === 'request' ? `${methods[method]} ${target}` : `${status}`
      headers = raw
      body = ''
      return 0
    }
    parser[onBody] = (bytes: Buffer) => {
      body += bytes.toString('latin1')
    }
    parser[onMessageComplete] = () => {
      if (!start.startsWith('1')) read ??= { start, headers, body, bytes: -1 }
    }
    const result = parser.execute(message)
    if (result instanceof Error && !read) return null
    return read
  }
}

/** From the grammar alone: lines first, then what they say. Slow, plain, and in no way like the other two. */
export const readByGrammar = (kind: Kind): Reader => {
  const startPattern =
    kind === 'request'
      ? /^([A-Z]+) (\/[!"$-~]*) HTTP\/1\.1$/
      : /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
  return (message) => {
    let text = message.toString('latin1')
    let skipped = 0
    for (;;) {
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return null
      const [first, ...lines] = text.slice(0, end).split('\r\n')
      const found = startPattern.exec(first!)
      if (!found) return null
      const headers: string[] = []
      for (const line of lines) {
        const field = /^([\w!#$%&'*+\-.^`|~]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
        if (!field) return null
        headers.push(field[1]!, field[2]!.replace(/[ \t]+$/, ''))
      }
      const start = kind === 'request' ? `${found[1]} ${found[2]}` : found[1]!
      if (!start.startsWith('1')) {
        const rest = readBody(kind, start, headers, text.slice(end + 4))
        return rest && { start, headers, body: rest.body, bytes: skipped + end + 4 + rest.bytes }
      }
      skipped += end + 4
      text = text.slice(end + 4)
    }
  }
}

function readBody(kind: Kind, start: string, headers: readonly string[], text: string) {
  const valuesOf = (wanted: string) =>
    headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === wanted)
  const [lengths, codings] = [valuesOf('content-length'), valuesOf('transfer-encoding')]
  if (lengths.length + codings.length > 1) return null
  if (kind === 'response' && (start === '204' || start === '304')) return { body: '', bytes: 0 }
  if (codings.length === 1) return codings[0]!.toLowerCase() === 'chunked' ? readChunks(text) : null
  const length = lengths.length === 1 ? readLength(lengths[0]!) : kind === 'request' ? 0 : null
  if (length === null || text.length < length) return null
  return { body: text.slice(0, length), bytes: length }
}

function readChunks(text: string): { body: string; bytes: number } | null {
  const chunk = /([0-9a-fA-F]{1,13})(?:;[\x20-\x7e]*)?\r\n/y
  let body = ''
  for (;;) {
    const found = chunk.exec(text)
    if (!found) return null
    const size = Number.parseInt(found[1]!, 16)
    const at = chunk.lastIndex
    if (size === 0) {
      const trailers = /(?:[\w!#$%&'*+\-.^`|~]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n/y
      trailers.lastIndex = at
      return trailers.test(text) ? { body, bytes: trailers.lastIndex } : null
    }
    if (text.slice(at + size, at + size + 2) !== '\r\n') return null
    body += text.slice(at, at + size)
    chunk.lastIndex = at + size + 2
  }
}

const isSame = (one: Read, other: Read | null): boolean =>
  other !== null &&
  one.start === other.start &&
  one.body === other.body &&
  (other.bytes < 0 || one.bytes === other.bytes) &&
  one.headers.length === other.headers.length &&
  one.headers.every((text, i) => text === other.headers[i])

type Run = { kind: Kind; seed: number; messages: number; strict?: Reader }

/** How many messages the strict reader took, and the first one that somebody reads in another way. */
export function fuzz({ kind, seed, messages, strict }: Run): {
  taken: number
  found: Disagreement | null
} {
  const dice = createDice(seed)
  const own = strict ?? (kind === 'request' ? readStrictRequest : readStrictResponse)
  const [byNode, byGrammar] = [readByNode(kind), readByGrammar(kind)]
  const seeds = seedsOf[kind]
  let taken = 0
  for (let left = messages; left > 0; left -= 1) {
    const message = mutate(seeds[dice(seeds.length)]!, dice)
    const read = own(message)
    if (!read) continue
    taken += 1
    for (const [by, reader] of [
      ['node', byNode],
      ['grammar', byGrammar],
    ] as const) {
      const other = reader(message)
      // Of answers Node refuses some that the grammar allows, which is no second reading.
      if (other === null && by === 'node' && kind === 'response') continue
      if (!isSame(read, other)) return { taken, found: { message, strict: read, other, by } }
    }
  }
  return { taken, found: null }
}
