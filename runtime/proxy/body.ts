// Request bodies are held whole: the model must be known before a byte goes out, and a length is surer than chunks.
import { Refusal } from './refusal.ts'

/** The client went away before its request was complete: nobody is left to be answered. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

/** Bytes of all bodies held at the moment. */
export type BodyStore = { bytes: number; readonly bytesMax: number }

type CollectorOptions = {
  bytesMax: number
  store: BodyStore
  resolve: (body: Buffer) => void
  reject: (error: Error) => void
  /** Called when the rest is of no more interest. */
  stop: () => void
}

/** Gathers one body within its limits, for both lanes. Settles once; what comes after that is nothing to it. */
export class Collector {
  readonly #options: CollectorOptions
  #chunks: Buffer[] = []
  #bytes = 0
  #isSettled = false

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** The length that was announced: false = refused, with nothing read. */
  expect(bytes: number): boolean {
    if (bytes <= this.#options.bytesMax) return true
    this.#fail(tooLarge(this.#options.bytesMax))
    return false
  }

  take(chunk: Buffer): void {
    if (this.#isSettled) return
    const { bytesMax, store } = this.#options
    this.#bytes += chunk.length
    store.bytes += chunk.length
    this.#chunks.push(chunk)
    if (this.#bytes > bytesMax) this.#fail(tooLarge(bytesMax))
    else if (store.bytes > store.bytesMax) this.#fail(new Refusal('capacity/full', undefined, 2))
  }

  end(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const chunks = this.#chunks
    this.#options.resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
  }

  leave(): void {
    this.#fail(new ClientLeft())
  }

  #fail(error: Error): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#chunks = []
    this.#options.store.bytes -= this.#bytes
    this.#options.stop()
    this.#options.reject(error)
  }
}

const tooLarge = (bytesMax: number) =>
  new Refusal('body/too-large', `${bytesMax} bytes are the most.`)
