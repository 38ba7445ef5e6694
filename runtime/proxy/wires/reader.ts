// Reads an answer beside the relay, never in its way: bytes are queued and read in a later turn of the event loop,
// after the client has them, many at once: what is read counts at the answer's end. Whatever goes wrong in here ends the reading and never the call.
import type { Transform } from 'node:stream'
import type { Wire } from '../api.ts'
import { Answer, type WireReader } from './answer.ts'
import { chat } from './chat.ts'
import { createDecoder } from './decode.ts'
import { gemini } from './gemini.ts'
import { JsonValues } from './json-values.ts'
import { messages } from './messages.ts'
import { responses } from './responses.ts'
import { SseReader } from './sse.ts'

const wireReaders: Readonly<Record<Wire, WireReader>> = { messages, chat, responses, gemini }

const queueBytesMax = 8 * 1024 // A thousand slow streams hold this much each.
const wholeBytesMax = 32 * 1024 * 1024 // As large as a request may be; a longer answer is not read, and estimated.
const decodedBytesMax = 64 * 1024 * 1024 // A small compressed answer may unpack to anything.

const openBrace = 0x7b
const openBracket = 0x5b
const spaces: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]) // And the mark of the byte order.

export type ReaderOptions = {
  wire: Wire
  contentType: string | undefined
  contentEncoding: string | undefined
  /** Called once, when all that came has been read. */
  onRead: (answer: Answer) => void
}

export class AnswerReader {
  readonly #options: ReaderOptions
  readonly #answer = new Answer()
  readonly #decoder: Transform | null
  readonly #wire: WireReader
  #sse: SseReader | null = null
  #values: JsonValues | null = null
  #isBegun = false
  #queue: Buffer[] = []
  #queuedBytes = 0
  #whole: Buffer[] = []
  #bytes = 0
  #isScheduled = false
  #isEnded = false
  #isBroken = false
  #isDone = false

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#wire = wireReaders[options.wire]
    const decoder = createDecoder(options.contentEncoding)
    this.#isBroken = decoder === undefined
    this.#decoder = decoder ?? null
    this.#decoder
      ?.on('data', (chunk: Buffer) => this.#guard(() => this.#read(chunk)))
      .on('error', () => this.#break())
      .on('end', () => this.#finish())
  }

  push(chunk: Buffer): void {
    if (this.#isBroken) {
      this.#answer.outputChars += chunk.length // What can't be read still came, and was made.
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes >= queueBytesMax) this.#schedule()
  }

  end(): void {
    this.#isEnded = true
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#drain())
  }

  #drain(): void {
    this.#isScheduled = false
    const queue = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    for (const chunk of queue) {
      if (this.#isBroken) break
      if (this.#decoder) this.#decoder.write(chunk)
      else this.#guard(() => this.#read(chunk))
    }
    if (!this.#isEnded) return
    if (this.#decoder && !this.#isBroken) this.#decoder.end()
    else this.#finish()
  }

  /** By the first byte: some servers send a stream as JSON by its head, or an error in the place of a stream. */
  #begin(first: number): void {
    this.#isBegun = true
    if (first !== openBrace && first !== openBracket) {
      this.#sse = new SseReader((data) => this.#event(data))
    } else if (this.#options.wire === 'gemini') {
      this.#values = new JsonValues((data) => this.#event(data))
    }
  }

  #read(read: Buffer): void {
    let chunk = read
    if (!this.#isBegun) {
      const at = read.findIndex((byte) => !spaces.has(byte))
      if (at < 0) return
      chunk = read.subarray(at)
      this.#begin(chunk[0]!)
    }
    this.#bytes += chunk.length
    if (this.#sse) {
      if (this.#decoder && this.#bytes > decodedBytesMax) throw new Error('too long to be read')
      this.#sse.push(chunk)
    } else if (this.#values) {
      if (this.#decoder && this.#bytes > decodedBytesMax) throw new Error('too long to be read')
      this.#values.push(chunk)
    } else {
      if (this.#bytes > wholeBytesMax) throw new Error('too long to be read')
      this.#whole.push(chunk)
    }
  }

  #event(data: string): void {
    if (this.#wire.fast(this.#answer, data)) return
    if (data === '[DONE]') {
      this.#wire.done?.(this.#answer)
      return
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(data)
    } catch {
      return // Not JSON: an extension of somebody's. The client gets it; there is nothing to count in it.
    }
    this.#wire.event(this.#answer, parsed)
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    if (!this.#isBroken) {
      this.#guard(() => {
        if (this.#sse) this.#sse.end()
        else this.#readWhole()
      })
    }
    this.#wire.finish?.(this.#answer)
    const answer = this.#answer
    // Nothing used for words that came is no count.
    if (answer.outputChars > 0 && !answer.input && !answer.output) answer.isUsageFinal = false
    this.#options.onRead(answer)
  }

  #readWhole(): void {
    const [first, ...rest] = this.#whole
    if (!first) return
    const bytes = rest.length === 0 ? first : Buffer.concat(this.#whole)
    const text = bytes.toString()
    try {
      this.#wire.whole(this.#answer, JSON.parse(text))
    } catch {
      this.#answer.outputChars += text.length // It was cut, so what came of it stands for what was said.
    }
  }

  #guard(read: () => void): void {
    try {
      read()
    } catch {
      this.#break() // The call is then estimated from what was read before.
    }
  }

  #break(): void {
    this.#isBroken = true
    this.#whole = []
    this.#decoder?.destroy()
    if (this.#isEnded) this.#finish()
  }
}
