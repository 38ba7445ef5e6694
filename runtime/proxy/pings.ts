// Signs of life in a stream that says nothing for a while, where its route asks for them: some clients, and what is between
// them and here, take silence for death.
//
// | an answer                                  | gets them                                                          |
// | ------------------------------------------ | ------------------------------------------------------------------ |
// | plain events, without a length             | after `afterMs` of silence, again and again, until it ends         |
// | whose last bytes are no event's end        | not before they are                                                |
// | packed, of a known length, or no events    | never                                                              |
// | whose client is behind, or gone            | not while it is                                                    |
import type { Wire } from './api.ts'
import type { Framing, RawHeaders, Reply } from './exchange.ts'
import { findHeader } from './headers.ts'

const comment = Buffer.from(': keep-alive\n\n')
const pings: Readonly<Record<Wire, Buffer>> = {
  messages: Buffer.from('event: ping\ndata: {"type": "ping"}\n\n'), // As Anthropic sends its own.
  chat: comment,
  responses: comment,
  gemini: comment,
}

/**
 * @param afterMs Null = no pings.
 * @param headers The client's. Google's older library takes a comment for the beginning of an event that never ends.
 */
export function withPings(
  reply: Reply,
  afterMs: number | null,
  { wire, headers }: { wire: Wire; headers: RawHeaders },
): Reply {
  if (afterMs === null) return reply
  if (findHeader(headers, 'x-goog-api-client')?.includes('genai-js/')) return reply
  return new PingingReply(reply, afterMs, pings[wire])
}

class PingingReply implements Reply {
  readonly #inner: Reply
  readonly #afterMs: number
  readonly #ping: Buffer
  #timer: NodeJS.Timeout | undefined
  /** How the bytes so far end, as far as it tells whether an event does. */
  #tail: Tail = 'event'
  #isBehind = false
  onDrain: Reply['onDrain'] = null
  onClose: Reply['onClose'] = null

  constructor(inner: Reply, afterMs: number, ping: Buffer) {
    this.#inner = inner
    this.#afterMs = afterMs
    this.#ping = ping
    inner.onDrain = () => {
      this.#isBehind = false
      this.onDrain?.()
    }
    inner.onClose = () => {
      clearTimeout(this.#timer)
      this.onClose?.()
    }
  }

  get isBegun(): boolean {
    return this.#inner.isBegun
  }
  get isGone(): boolean {
    return this.#inner.isGone
  }

  send(status: number, headers: RawHeaders, body: string | Buffer): void {
    this.#inner.send(status, headers, body)
  }

  begin(status: number, headers: RawHeaders, framing: Framing): void {
    if (!takesPings(headers)) return void this.#inner.begin(status, headers, framing)
    // Between two chunks of the upstream's there is not always a place: they are framed anew.
    this.#inner.begin(status, headers, 'own')
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#elapsed(), this.#afterMs)
  }

  write(payload: Buffer, raw: Buffer): boolean {
    if (this.#timer) {
      this.#wait()
      this.#tail = toTail(this.#tail, payload)
    }
    const isTaken = this.#inner.write(payload, raw)
    this.#isBehind = !isTaken
    return isTaken
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#inner.end()
  }

  reset(): void {
    clearTimeout(this.#timer)
    this.#inner.reset()
  }

  #elapsed(): void {
    if (this.#inner.isGone) return
    this.#wait()
    if (this.#tail === 'event' && !this.#isBehind)
      this.#isBehind = !this.#inner.write(this.#ping, this.#ping)
  }
}

function takesPings(headers: RawHeaders): boolean {
  if (findHeader(headers, 'content-type')?.startsWith('text/event-stream') !== true) return false
  const encoding = findHeader(headers, 'content-encoding')
  const isPlain = encoding === undefined || encoding.toLowerCase() === 'identity'
  return isPlain && findHeader(headers, 'content-length') === undefined
}

/** Behind a whole event (or before the first) · behind a line's end · a return after that · inside a line. */
type Tail = 'event' | 'line' | 'return' | 'open'

const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * A blank line ends an event. Lines that end by returns alone, which nobody sends, are never told from the first half of
 * the usual end: no ping then.
 */
function toTail(before: Tail, bytes: Buffer): Tail {
  // Four bytes are the longest end of an event: what was before that tells nothing.
  let tail = bytes.length > 4 ? 'open' : before
  for (let at = Math.max(0, bytes.length - 4); at < bytes.length; at += 1) {
    const byte = bytes[at]!
    if (byte === lineFeed) tail = tail === 'open' ? 'line' : 'event'
    else if (byte === carriageReturn) tail = tail === 'open' ? 'open' : 'return'
    else tail = 'open'
  }
  return tail
}
