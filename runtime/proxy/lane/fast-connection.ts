// A client's connection in the fast lane: requests one after the other, until the connection ends or goes over to the general lane.
//
// | state   | enters when                                    | leaves when                                        | at its deadline     |
// | ------- | ---------------------------------------------- | -------------------------------------------------- | ------------------- |
// | waiting | it is new, or an answer is over                | the first byte of a request                        | closed              |
// | head    | a part of a head came                          | the head is whole                                  | 408                 |
// | body    | a head is whole                                | the body is, or the answer is over before          | 408                 |
// | answer  | the request is whole                           | the answer is over                                 | none: the call has  |
// | linger  | an answer is over that ends the connection     | the client ends it, too                            | cut                 |
// | left    | what came is not plainly in the subset         | never: the general lane has it                     | none                |
import type { Socket } from 'node:net'
import type { Handle } from '../handler.ts'
import { type Carrier, FastExchange } from './fast-exchange.ts'
import type { Inlet, Sink } from './inlet.ts'
import { type RequestHead, readRequestHead } from './request.ts'

/** What a connection needs of its lane. */
export type Lane = {
  readonly handle: Handle
  /** By the lane's clock, which goes in steps. */
  readonly nowMs: number
  readonly headersMs: number
  readonly requestMs: number
  readonly keepAliveMs: number
  readonly lingerMs: number
  /** How long a client may leave the end of an answer unread. */
  readonly stallMs: number
  readonly isDraining: boolean
  toGeneral(connection: FastConnection, socket: Socket): void
  onGone(connection: FastConnection): void
}

type State = 'waiting' | 'head' | 'body' | 'answer' | 'linger' | 'left'

const pipelinedBytesMax = 64 * 1024 // What a client may send ahead while its answer is under way.
const never = Number.POSITIVE_INFINITY
const timeoutAnswer = 'HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n'

export class FastConnection implements Carrier, Sink {
  readonly socket: Socket
  readonly line: string | undefined
  readonly keepAliveS: number
  readonly #lane: Lane
  readonly #inlet: Inlet | null
  /** A place that was given for what comes next. */
  #room: Buffer | null = null
  readonly #onData = (data: Buffer) => void this.take(data)
  readonly #onDrain = () => this.#exchange?.onDrain?.()
  readonly #onEnd = () => this.#ended()
  readonly #onClose = () => this.#closed()
  #state: State = 'waiting'
  #early: Buffer | null = null
  #exchange: FastExchange | null = null
  deadlineMs: number

  /** @param inlet Where its bytes come from; null = from the socket's stream. */
  constructor(socket: Socket, line: string | undefined, lane: Lane, inlet: Inlet | null) {
    this.socket = socket
    this.line = line
    this.#lane = lane
    this.#inlet = inlet
    if (inlet) inlet.sink = this
    this.keepAliveS = Math.floor(lane.keepAliveMs / 1_000)
    this.deadlineMs = lane.nowMs + lane.headersMs
    socket.on('data', this.#onData).on('drain', this.#onDrain)
    socket.on('end', this.#onEnd).on('close', this.#onClose)
  }

  get isClosing(): boolean {
    return this.#lane.isDraining
  }

  /** Between two requests, with nothing of the next one. */
  get isIdle(): boolean {
    return this.#state === 'waiting'
  }

  wantBody(): void {
    this.socket.resume()
  }

  take(data: Buffer): boolean {
    this.#take(data)
    this.#exchange?.own()
    this.#regulate()
    return !this.socket.isPaused()
  }

  room(): Buffer | null {
    this.#room = this.#state === 'body' ? this.#exchange!.room() : null
    return this.#room
  }

  filled(place: Uint8Array, bytes: number): boolean {
    const exchange = this.#exchange
    if (place !== this.#room || this.#state !== 'body' || !exchange?.room()) return false
    exchange.filled(bytes)
    if (exchange.left === 0) this.#endBody()
    return true
  }

  #take(data: Buffer): void {
    switch (this.#state) {
      case 'waiting':
      case 'head':
        return void this.#takeHead(data)
      case 'body':
        return void this.#takeBody(data)
      case 'answer':
        return void this.#keepEarly(data)
      case 'linger':
        return // Nobody reads it; it only must not become a reset before the answer was read.
    }
  }

  #takeHead(data: Buffer): void {
    const early = this.#early
    const all = early ? Buffer.concat([early, data]) : data
    const head = readRequestHead(all)
    if (head === 'general') return void this.#leave(all)
    if (head === 'more') {
      if (this.#state === 'waiting') {
        this.#state = 'head'
        this.deadlineMs = this.#lane.nowMs + this.#lane.headersMs
      }
      this.#early = early ? all : Buffer.from(data)
      return
    }
    this.#early = null
    this.#begin(head, all)
  }

  #begin(head: RequestHead, all: Buffer): void {
    const lane = this.#lane
    const exchange = new FastExchange(head, this)
    this.#exchange = exchange
    this.#state = 'body'
    this.deadlineMs = lane.nowMs + lane.requestMs
    if (head.length === 0) this.#endBody()
    const rest = all.length > head.bytes ? all.subarray(head.bytes) : null
    if (rest) this.#take(rest)
    lane.handle(exchange)
  }

  #takeBody(data: Buffer): void {
    const exchange = this.#exchange!
    const { left } = exchange
    exchange.take(data.length > left ? data.subarray(0, left) : data)
    if (exchange.left === 0) this.#endBody()
    if (data.length > left) this.#take(data.subarray(left))
  }

  /** No more of a body is read until it is known who sends it. */
  #regulate(): void {
    if (this.#state === 'body' && !this.#exchange!.takesBody) this.socket.pause()
  }

  #endBody(): void {
    this.#state = 'answer'
    this.deadlineMs = never
  }

  /** A pipelined request waits for its turn. */
  #keepEarly(data: Buffer): void {
    this.#early = this.#early ? Buffer.concat([this.#early, data]) : Buffer.from(data)
    if (this.#early.length > pipelinedBytesMax) this.socket.pause()
  }

  onAnswered(isClosing: boolean): void {
    const { nowMs, keepAliveMs, lingerMs, stallMs } = this.#lane
    this.#exchange = null
    if (isClosing) {
      this.#state = 'linger'
      this.deadlineMs = nowMs + (this.socket.writableLength > 0 ? stallMs : lingerMs)
      this.#early = null
      this.socket.end()
      this.socket.resume()
      return
    }
    this.#state = 'waiting'
    this.deadlineMs = nowMs + keepAliveMs
    if (this.#early) process.nextTick(goOn, this)
    else if (this.socket.isPaused()) this.socket.resume()
  }

  /** With what came ahead of its turn. */
  goOn(): void {
    const early = this.#early
    if (this.#state !== 'waiting' || !early || this.socket.destroyed) return
    this.#early = null
    this.#takeHead(early)
    if (!this.#hasLeft && this.socket.isPaused()) this.socket.resume()
  }

  get #hasLeft(): boolean {
    return this.#state === 'left'
  }

  /** The rest of this connection is the general lane's, bytes untouched. */
  #leave(bytes: Buffer): void {
    this.#state = 'left'
    this.deadlineMs = never
    this.#early = null
    const { socket } = this
    if (this.#inlet) this.#inlet.sink = toStream(socket)
    socket.off('data', this.#onData).off('drain', this.#onDrain)
    socket.off('end', this.#onEnd).off('close', this.#onClose)
    socket.pause()
    socket.unshift(Buffer.from(bytes))
    this.#lane.toGeneral(this, socket)
  }

  /** Called by the lane's clock. */
  expire(): void {
    const { socket } = this
    if (this.#state === 'head' || this.#state === 'body') {
      if (!this.#exchange?.isBegun) socket.write(timeoutAnswer)
      socket.destroySoon()
    } else if (this.#state === 'waiting' && socket.writableLength > 0) this.#awaitReader()
    else socket.destroy()
  }

  /** The end of the last answer is still unread: that much longer, once. */
  #awaitReader(): void {
    this.#state = 'linger'
    this.deadlineMs = this.#lane.nowMs + this.#lane.stallMs
    this.socket.end()
  }

  /** Ends it as soon as no answer is under way. */
  drain(): void {
    if (this.isIdle) this.socket.destroySoon()
  }

  /** A client that ends its side is gone, as with node:http. */
  #ended(): void {
    if (this.#state === 'linger' || this.#state === 'waiting') this.socket.end()
    else this.socket.destroy()
  }

  #closed(): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#lane.onGone(this)
    exchange?.leave()
  }
}

const goOn = (connection: FastConnection) => connection.goOn()

/** For whoever reads the socket's stream. */
const toStream = (socket: Socket): Sink => ({
  take: (data) => socket.push(Buffer.from(data)),
  room: () => null,
  filled: () => false,
})
