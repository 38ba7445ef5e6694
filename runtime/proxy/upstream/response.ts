// One answer out of the bytes of a connection (RFC 9112). What could be read in two ways is refused: an answer that another
// server would end elsewhere would put bytes of one caller into the answer of the next.
import { headEnd, readFields, readLength } from '../fields.ts'
import { Chunks } from './chunks.ts'
import { UpstreamError } from './error.ts'

/** How its end is told. `close` = by the end of the connection. */
export type BodyEnd = 'none' | 'length' | 'chunks' | 'close'

export type ResponseHead = {
  status: number
  /** Names and values in turn. */
  headers: string[]
  bodyEnd: BodyEnd
  length: number
  /** Whether the connection may be used again, as far as the head says. */
  isKept: boolean
  /** As the upstream hints: how long it keeps an idle connection. */
  keepAliveS: number | null
}

export type ResponseEvents = {
  onHead(head: ResponseHead): void
  onData(payload: Buffer, raw: Buffer): void
}

export const headBytesMax = 64 * 1024
const informationalMax = 16 // An endless row of them would never let the deadline end it.
const nothing = Buffer.alloc(0)

export class ResponseReader {
  readonly #isHeadAsked: boolean
  #early: Buffer = nothing
  #head: ResponseHead | null = null
  #informational = 0
  #left = 0
  #chunks: Chunks | null = null
  isOver = false

  /** @param method Of the request: an answer to HEAD has no body, whatever its headers say. */
  constructor(method: string) {
    this.#isHeadAsked = method === 'HEAD'
  }

  get head(): ResponseHead | null {
    return this.#head
  }

  /** Returns how many of the bytes belong to this answer. Throws for one that is refused. */
  take(piece: Buffer, events: ResponseEvents): number {
    if (this.#head) return this.#takeBody(piece, 0, events)
    const early = this.#early.length
    const data = early === 0 ? piece : Buffer.concat([this.#early, piece])
    const at = this.#takeHeads(data)
    if (!this.#head) {
      this.#early = at === 0 ? data : data.subarray(at)
      return piece.length
    }
    this.#early = nothing
    events.onHead(this.#head)
    return this.#takeBody(data, at, events) - early
  }

  /** The connection ended. True = so did the answer. */
  end(): boolean {
    if (this.#head?.bodyEnd === 'close') this.isOver = true
    return this.isOver
  }

  /** Skips informational answers: they are between the upstream and us. */
  #takeHeads(data: Buffer): number {
    for (let at = 0; ; ) {
      const end = data.indexOf(headEnd, at)
      if ((end < 0 ? data.length : end) - at > headBytesMax) throw malformed('its head is too long')
      if (end < 0) return at
      const head = readHead(data.toString('latin1', at, end + 4), this.#isHeadAsked)
      at = end + 4
      if (head.status >= 200) {
        this.#begin(head)
        return at
      }
      this.#informational += 1
      if (head.status === 101) throw malformed('it switches protocols, which nobody asked for')
      if (this.#informational > informationalMax) throw malformed('it is informational for ever')
    }
  }

  #begin(head: ResponseHead): void {
    this.#head = head
    this.#left = head.length
    if (head.bodyEnd === 'chunks') this.#chunks = new Chunks()
    this.isOver = head.bodyEnd === 'none'
  }

  #takeBody(data: Buffer, at: number, events: ResponseEvents): number {
    if (this.isOver || at === data.length) return at
    if (this.#chunks) {
      const { end, payload, raw } = this.#chunks.take(data, at)
      this.isOver = this.#chunks.isOver
      if (raw || payload) events.onData(payload ?? nothing, raw ?? nothing)
      return end
    }
    const isCounted = this.#head!.bodyEnd === 'length'
    const end = isCounted ? Math.min(data.length, at + this.#left) : data.length
    this.#left -= end - at
    this.isOver = isCounted && this.#left === 0
    const bytes = at === 0 && end === data.length ? data : data.subarray(at, end)
    events.onData(bytes, bytes)
    return end
  }
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/

function readHead(text: string, isHeadAsked: boolean): ResponseHead {
  const line = statusLine.exec(text)
  if (!line) throw malformed('its status line is none')
  const headers = readFields(text, line[0].length)
  if (!headers) throw malformed('its headers are none')
  const status = Number(line[2])
  const { length, isChunked, isClosed, keepAliveS } = readFraming(headers)
  const isOld = line[1] === '0'
  if (isChunked && isOld) throw malformed('it has chunks in HTTP/1.0')
  const hasNone = isHeadAsked || status < 200 || status === 204 || status === 304
  const bodyEnd =
    hasNone || length === 0 ? 'none' : isChunked ? 'chunks' : length > 0 ? 'length' : 'close'
  const isKept = !isClosed && !isOld && bodyEnd !== 'close'
  return { status, headers, bodyEnd, length: Math.max(0, length), isKept, keepAliveS }
}

/** A length of -1 = none is given. */
function readFraming(headers: readonly string[]) {
  let length = -1
  let isChunked = false
  let isClosed = false
  let keepAliveS: number | null = null
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    switch (name.length) {
      case 10:
        if (isName(name, 'connection')) isClosed ||= /(?:^|[, \t])close(?:$|[, \t])/i.test(value)
        else if (isName(name, 'keep-alive')) keepAliveS = readKeepAlive(value)
        break
      case 14:
        if (!isName(name, 'content-length')) break
        if (length >= 0) throw malformed('it has two lengths')
        length = readLength(value) ?? -1
        if (length < 0) throw malformed('its length is none')
        break
      case 17:
        if (!isName(name, 'transfer-encoding')) break
        if (isChunked || value.toLowerCase() !== 'chunked')
          throw malformed('its coding is not plainly chunked')
        isChunked = true
    }
  }
  if (isChunked && length >= 0) throw malformed('it has a length and chunks')
  return { length, isChunked, isClosed, keepAliveS }
}

const isName = (name: string, known: string) => name === known || name.toLowerCase() === known

function readKeepAlive(value: string): number | null {
  const seconds = /(?:^|[, ])timeout=(\d{1,6})(?:$|[, ])/i.exec(value)?.[1]
  return seconds === undefined ? null : Number(seconds)
}

const malformed = (what: string) => new UpstreamError('malformed', `the answer is refused: ${what}`)
