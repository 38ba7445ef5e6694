// One connection to an upstream, and the call that is on it.
//
// | state | enters when                                              | leaves when                                        |
// | ----- | -------------------------------------------------------- | -------------------------------------------------- |
// | busy  | a call begins on it                                      | its answer is over, it fails, or it is aborted     |
// | idle  | request and answer both ended, with no byte over         | the next call, its time is up, or any byte comes   |
// | gone  | any other end                                            | never                                              |
import type { Socket } from 'node:net'
import type { Inlet } from './connect.ts'
import { UpstreamError } from './error.ts'
import { type ResponseEvents, type ResponseHead, ResponseReader } from './response.ts'
import type { UpstreamCall, UpstreamHandler, UpstreamRequest } from './upstream.ts'

/** What a connection needs of its pool. */
export type Keeper = {
  /** By the pool's clock, which goes in steps: cheaper than asking for the time at each read. */
  readonly nowMs: number
  readonly firstByteMs: number
  readonly idleMs: number
  onFree(connection: Connection, keepAliveS: number | null): void
  onGone(connection: Connection): void
}

const copiedBytesMax = 32 * 1024 // Up to here one write of a copy is cheaper than two of what is there.

export class Connection implements ResponseEvents {
  readonly #socket: Socket
  readonly #keeper: Keeper
  #call: Call | null = null
  #reader: ResponseReader | null = null
  /** Until when the call may wait, or an idle one may be used. */
  deadlineMs = Number.POSITIVE_INFINITY
  #isPaused = false
  #error: Error | null = null

  constructor(socket: Socket, inlet: Inlet, keeper: Keeper) {
    this.#socket = socket
    this.#keeper = keeper
    inlet.take = (data) => this.#take(data)
    socket.on('data', inlet.take) // Of one inside a tunnel, which has no inlet.
    socket.on('end', () => this.#ended())
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => this.#closed())
  }

  /** Whether anything is known that speaks against a next call. */
  get isUsable(): boolean {
    const { destroyed, writable, readableEnded } = this.#socket
    return !destroyed && writable && !readableEnded && this.deadlineMs > this.#keeper.nowMs
  }

  start(call: Call): void {
    const { method, body } = call.request
    this.#call = call
    call.connection = this
    this.#reader = new ResponseReader(method)
    this.deadlineMs = this.#keeper.nowMs + this.#keeper.firstByteMs
    call.handler.onStart()
    this.#write(call.head, body)
  }

  #write(head: string, body: Buffer): void {
    const socket = this.#socket
    if (body.length > copiedBytesMax) {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
      return
    }
    const bytes = Buffer.allocUnsafe(head.length + body.length)
    bytes.write(head, 0, 'latin1')
    body.copy(bytes, head.length)
    socket.write(bytes)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.deadlineMs = this.#keeper.nowMs + this.#keeper.idleMs
    this.#socket.resume()
  }

  /** Called by the pool's clock. */
  expire(): void {
    if (this.#call === null) return void this.destroy()
    if (this.#isPaused) return // The client is late, not the upstream.
    const code = this.#reader!.head ? 'idle-timeout' : 'first-byte-timeout'
    this.#fail(new UpstreamError(code, 'the upstream is silent for too long'))
  }

  /** Ends it without a word to the call. */
  destroy(): void {
    this.#call = null
    this.#socket.destroy()
  }

  cut(): void {
    this.#fail(new UpstreamError('closed', 'the provider is closed'))
  }

  onHead(head: ResponseHead): void {
    this.#call?.handler.onHead(head)
  }

  onData(payload: Buffer, raw: Buffer): void {
    this.#call?.handler.onData(payload, raw)
  }

  #take(data: Buffer): void {
    const reader = this.#reader
    if (this.#call === null || reader === null) return void this.destroy() // A byte that nobody asked for.
    let taken: number
    try {
      taken = reader.take(data, this)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      return void this.#fail(error)
    }
    if (reader.isOver) return void this.#finish(reader.head!, taken === data.length)
    if (reader.head) this.deadlineMs = this.#keeper.nowMs + this.#keeper.idleMs
  }

  #finish(head: ResponseHead, isClean: boolean): void {
    const call = this.#call
    if (!call) return // Aborted by whoever was told of the last bytes.
    this.#call = null
    this.#reader = null
    call.connection = null
    // An early answer leaves a part of the request unsent: what comes next on the connection would belong to that.
    if (isClean && head.isKept && this.#socket.writableLength === 0) {
      if (this.#isPaused) {
        this.#isPaused = false
        this.#socket.resume()
      }
      this.#keeper.onFree(this, head.keepAliveS)
    } else this.#socket.destroy()
    call.handler.onEnd()
  }

  #ended(): void {
    if (this.#call === null) return void this.destroy()
    if (this.#reader?.end()) this.#finish(this.#reader.head!, false)
    else this.#fail(new UpstreamError('closed', 'the upstream hung up inside its answer'))
  }

  #closed(): void {
    this.#keeper.onGone(this)
    const cause = this.#error
    const options = cause ? { cause } : {}
    const message = cause?.message ?? 'the upstream hung up'
    if (this.#call) this.#fail(new UpstreamError('closed', message, options))
  }

  #fail(error: Error): void {
    const call = this.#call
    this.destroy()
    if (!call) return
    call.connection = null
    call.handler.onError(error, 'maybe') // Its bytes were written, or are with the kernel.
  }
}

/** A request on its way; what is left of it when it is over does nothing. */
export class Call implements UpstreamCall {
  readonly request: UpstreamRequest
  readonly handler: UpstreamHandler
  /** The request's, as text. */
  head = ''
  connection: Connection | null = null
  #isAborted = false
  /** While its connection is being opened. */
  cancel: (() => void) | null = null

  constructor(request: UpstreamRequest, handler: UpstreamHandler) {
    this.request = request
    this.handler = handler
  }

  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  /** Before anything of it was written. */
  fail(error: Error): void {
    if (!this.#isAborted) this.handler.onError(error, 'nothing')
  }

  abort(): void {
    const { connection, cancel } = this
    this.#isAborted = true
    this.connection = null
    this.cancel = null
    cancel?.()
    connection?.destroy()
  }
}
