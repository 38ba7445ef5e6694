// The general lane: an exchange over node:http, for whatever the fast lane does not plainly know.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { type BodyStore, Collector } from '../body.ts'
import type { Exchange, Framing, RawHeaders, Reply } from '../exchange.ts'
import { lineOf } from '../line.ts'

export class GeneralExchange implements Exchange {
  readonly reply: Reply
  readonly line: string | undefined
  readonly #request: IncomingMessage

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    { isDraining, stallMs }: { isDraining: boolean; stallMs: number },
  ) {
    this.#request = request
    this.reply = new GeneralReply(response, stallMs)
    if (isDraining) response.shouldKeepAlive = false
    this.line = lineOf(request.socket)
  }

  get method(): string {
    return this.#request.method!
  }

  get target(): string {
    return this.#request.url!
  }

  get version(): string {
    return this.#request.httpVersion
  }

  get headers(): RawHeaders {
    return this.#request.rawHeaders
  }

  readBody(bytesMax: number, store: BodyStore): Promise<Buffer> {
    const request = this.#request
    return new Promise((resolve, reject) => {
      const stop = () => {
        request.off('data', take)
        request.resume() // What still comes is thrown away.
      }
      const collector = new Collector({ bytesMax, store, resolve, reject, stop })
      const take = (chunk: Buffer) => collector.take(chunk)
      if (!collector.expect(Number(request.headers['content-length'] ?? 0))) return
      request.on('data', take)
      request.once('end', () => collector.end())
      request.once('close', () => {
        if (!request.complete) collector.leave()
      })
      request.once('error', () => {}) // 'close' follows.
    })
  }
}

class GeneralReply implements Reply {
  onClose: (() => void) | null = null
  onDrain: (() => void) | null = null
  readonly #response: ServerResponse
  readonly #stallMs: number
  #isOver = false
  isGone = false

  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response
    this.#stallMs = stallMs
    response.on('error', () => {}) // A client's reset; 'close' follows, and is what counts.
    response.on('close', () => this.#closed())
    response.on('drain', () => this.onDrain?.())
  }

  get isBegun(): boolean {
    return this.#response.headersSent
  }

  send(status: number, headers: RawHeaders, body: string | Buffer): void {
    const length = ['content-length', `${Buffer.byteLength(body)}`]
    this.#isOver = true
    this.#response.writeHead(status, [...headers, ...length]).end(body)
    this.#awaitReader()
  }

  begin(status: number, headers: RawHeaders, _framing: Framing): void {
    this.#response.writeHead(status, headers as string[])
    // A head waits for nothing but what came with it. `flushHeaders` would write its high bytes as UTF-8.
    setImmediate(() => this.#isOver || this.#response.write(Buffer.alloc(0)))
  }

  write(payload: Buffer, _raw: Buffer): boolean {
    return this.#response.write(payload)
  }

  end(): void {
    this.#isOver = true
    this.#response.end()
    this.#awaitReader()
  }

  /** The end of an answer may stay unread for so long, and no longer. */
  #awaitReader(): void {
    const response = this.#response
    if (response.writableFinished) return
    const late = setTimeout(() => response.destroy(), this.#stallMs).unref()
    response.once('finish', () => clearTimeout(late)).once('close', () => clearTimeout(late))
  }

  /** Over TCP a reset says it; over a line the missing last chunk does. */
  reset(): void {
    this.#isOver = true
    const { socket } = this.#response
    if (socket instanceof Socket && lineOf(socket) === undefined) socket.resetAndDestroy()
    else this.#response.destroy()
  }

  #closed(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.isGone = true
    this.onClose?.()
  }
}
