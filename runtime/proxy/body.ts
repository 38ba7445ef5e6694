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

const announcedBytesMax = 1024 * 1024 // What memory is given for before the bytes are there.

/** Gathers one body within its limits, for both lanes. Settles once; what comes after that is nothing to it. */
export class Collector {
  readonly #options: CollectorOptions
  /** The place of a body whose length was announced, and is not too large for that. */
  #whole: Buffer | null = null
  #chunks: Buffer[] = []
  #bytes = 0
  #isSettled = false

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** The length that was announced, and that the lane holds the body to; 0 = none. False = refused, with nothing read. */
  expect(bytes: number): boolean {
    if (bytes > this.#options.bytesMax) {
      this.#fail(tooLarge(this.#options.bytesMax))
      return false
    }
    if (bytes > 0 && bytes <= announcedBytesMax) this.#whole = Buffer.allocUnsafe(bytes)
    return true
  }

  /** Where the next bytes may be put without `take`; null = nowhere. */
  room(): Buffer | null {
    return this.#isSettled || !this.#whole ? null : this.#whole.subarray(this.#bytes)
  }

  /** @param chunk Kept only where no length was announced, or too large a one. */
  take(chunk: Buffer): void {
    if (this.#isSettled) return
    if (this.#whole) chunk.copy(this.#whole, this.#bytes)
    else this.#chunks.push(Buffer.from(chunk))
    this.filled(chunk.length)
  }

  /** So much came, and stands in its place. */
  filled(bytes: number): void {
    if (this.#isSettled) return
    const { bytesMax, store } = this.#options
    this.#bytes += bytes
    store.bytes += bytes
    if (this.#bytes > bytesMax) this.#fail(tooLarge(bytesMax))
    else if (store.bytes > store.bytesMax) this.#fail(new Refusal('capacity/full', undefined, 2))
  }

  end(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#options.resolve(this.#whole ?? Buffer.concat(this.#chunks))
  }

  leave(): void {
    this.#fail(new ClientLeft())
  }

  #fail(error: Error): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#chunks = []
    this.#whole = null
    this.#options.store.bytes -= this.#bytes
    this.#options.stop()
    this.#options.reject(error)
  }
}

const tooLarge = (bytesMax: number) =>
  new Refusal('body/too-large', `${bytesMax} bytes are the most.`)
