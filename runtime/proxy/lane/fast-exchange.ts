// One request and its answer on a connection of the fast lane.
import type { Socket } from 'node:net'
import { type BodyStore, Collector } from '../body.ts'
import type { Exchange, Framing, RawHeaders, Reply } from '../exchange.ts'
import { toAnswerHead } from './answer.ts'
import type { RequestHead } from './request.ts'

/** What an exchange needs of the connection it is on. */
export type Carrier = {
  readonly socket: Socket
  readonly line: string | undefined
  readonly keepAliveS: number
  /** The connection ends after this answer, whatever the answer says. */
  readonly isClosing: boolean
  /** More of the body is wanted. */
  wantBody(): void
  /** The answer is over, and the connection goes on or not. */
  onAnswered(isClosing: boolean): void
}

const copiedBytesMax = 32 * 1024 // Up to here one write of a copy is cheaper than two of what is there.
const lastChunk = Buffer.from('0\r\n\r\n')

export class FastExchange implements Exchange, Reply {
  readonly version = '1.1'
  readonly method: string
  readonly target: string
  readonly headers: RawHeaders
  onClose: (() => void) | null = null
  onDrain: (() => void) | null = null
  isBegun = false
  readonly #carrier: Carrier
  /** Of the body, still to come. */
  #left: number
  /** What came before anybody asked for it, and how many pieces of that are no more the socket's memory. */
  #early: Buffer[] = []
  #ownPieces = 0
  #collector: Collector | null = null
  /** The answer's head, until it is written with what comes first. */
  #head: string | null = null
  #isFramed = false
  #isBodyless = false
  #isClosing = false
  #isOver = false
  #hasLeft = false

  constructor(head: RequestHead, carrier: Carrier) {
    this.method = head.method
    this.target = head.target
    this.headers = head.headers
    this.#left = head.length
    this.#isClosing = head.isClosing
    this.#carrier = carrier
  }

  get line(): string | undefined {
    return this.#carrier.line
  }

  get reply(): Reply {
    return this
  }

  /** How much of the body is still to come. */
  get left(): number {
    return this.#left
  }

  get isGone(): boolean {
    return this.#hasLeft
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the body is being gathered, or is of no more interest. */
  get takesBody(): boolean {
    return this.#collector !== null || this.#isOver
  }

  readBody(bytesMax: number, store: BodyStore): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stop = () => {} // The rest is thrown away when the answer is over.
      const collector = new Collector({ bytesMax, store, resolve, reject, stop })
      this.#collector = collector
      if (this.#hasLeft) return collector.leave()
      if (!collector.expect(this.#left + this.#earlyBytes())) return
      for (const chunk of this.#early) collector.take(chunk)
      this.#early = []
      if (this.#left === 0) collector.end()
      else this.#carrier.wantBody()
    })
  }

  #earlyBytes(): number {
    return this.#early.reduce((sum, { length }) => sum + length, 0)
  }

  /** What is left of earlier bytes is kept: their memory is about to be read into again. */
  own(): void {
    for (; this.#ownPieces < this.#early.length; this.#ownPieces += 1) {
      this.#early[this.#ownPieces] = Buffer.from(this.#early[this.#ownPieces]!)
    }
  }

  /** Where the next bytes of the body belong; null = nowhere yet. */
  room(): Buffer | null {
    return this.#collector?.room() ?? null
  }

  /** So much came into its room. */
  filled(bytes: number): void {
    this.#left -= bytes
    this.#collector!.filled(bytes)
    if (this.#left === 0) this.#collector!.end()
  }

  /** Bytes of the body, and of nothing else; valid until the turn's end. */
  take(chunk: Buffer): void {
    this.#left -= chunk.length
    const collector = this.#collector
    if (!collector) {
      if (!this.#isOver) this.#early.push(chunk)
      return
    }
    collector.take(chunk)
    if (this.#left === 0) collector.end()
  }

  send(status: number, headers: RawHeaders, body: string | Buffer): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.begin(status, [...headers, 'content-length', `${bytes.length}`], 'own')
    if (bytes.length > 0) this.write(bytes, bytes)
    this.end()
  }

  begin(status: number, headers: RawHeaders, framing: Framing): void {
    const { isClosing, keepAliveS } = this.#carrier
    this.#isBodyless = this.method === 'HEAD' || status === 204 || status === 304
    const head = toAnswerHead(status, headers, {
      // What is left of the body would stand before the next request.
      isClosing: isClosing || this.#isClosing || this.#left > 0,
      keepAliveS,
      mayChunk: !this.#isBodyless,
    })
    this.isBegun = true
    this.#isClosing = head.isClosing
    this.#isFramed = framing === 'own' && !head.hasLength && !this.#isBodyless
    this.#head = head.text
    process.nextTick(flush, this) // A head waits for nothing but what came with it.
  }

  write(payload: Buffer, raw: Buffer): boolean {
    if (this.#isBodyless || this.#isOver) return true
    if (!this.#isFramed) return this.#put(raw)
    return payload.length === 0 || this.#put(toChunk(payload))
  }

  #put(bytes: Buffer): boolean {
    const { socket } = this.#carrier
    const head = this.#head
    if (head === null) return socket.write(bytes)
    this.#head = null
    if (bytes.length > copiedBytesMax) {
      socket.cork()
      socket.write(head, 'latin1')
      const isTaken = socket.write(bytes)
      socket.uncork()
      return isTaken
    }
    const both = Buffer.allocUnsafe(head.length + bytes.length)
    both.write(head, 0, 'latin1')
    bytes.copy(both, head.length)
    return socket.write(both)
  }

  flush(): void {
    const head = this.#head
    this.#head = null
    if (head !== null && !this.#carrier.socket.destroyed) this.#carrier.socket.write(head, 'latin1')
  }

  end(): void {
    if (this.#isOver) return
    if (this.#isFramed) this.#put(lastChunk)
    else this.flush()
    this.#isOver = true
    this.#early = []
    this.#carrier.onAnswered(this.#isClosing)
  }

  /** Over TCP a reset says it; over a line the missing last chunk does. */
  reset(): void {
    this.#isOver = true
    this.#head = null
    const { socket, line } = this.#carrier
    if (line === undefined) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** The client is gone. */
  leave(): void {
    this.#hasLeft = true
    if (this.#left > 0) this.#collector?.leave()
    if (this.#isOver) return
    this.#isOver = true
    this.#head = null
    this.onClose?.()
  }
}

const flush = (exchange: FastExchange) => exchange.flush()

function toChunk(payload: Buffer): Buffer {
  const size = payload.length.toString(16)
  const chunk = Buffer.allocUnsafe(size.length + payload.length + 4)
  chunk.write(`${size}\r\n`, 0, 'latin1')
  payload.copy(chunk, size.length + 2)
  chunk.write('\r\n', size.length + 2 + payload.length, 'latin1')
  return chunk
}
