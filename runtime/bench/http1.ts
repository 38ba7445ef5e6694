// Just enough HTTP/1.1 for the two ends of the measurement: where a head ends, and where its body does.

const headEnd = Buffer.from('\r\n\r\n')
const lineFeed = 10

/** Where the head's blank line begins, or -1. */
export const findHeadEnd = (data: Buffer) => data.indexOf(headEnd)
export const headEndBytes = headEnd.length

/** Follows one body over the pieces that a socket gives. Trusts its peer: for measuring, never for serving. */
export class Framing {
  isOver: boolean
  bodyBytes = 0
  readonly #isChunked: boolean
  #leftBytes: number
  #line = ''
  #isTrailer = false

  constructor(head: string) {
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)
    this.#isChunked = !length && /\r\ntransfer-encoding: *chunked/i.test(head)
    this.#leftBytes = length ? Number(length[1]) : 0
    this.isOver = !this.#isChunked && this.#leftBytes === 0
  }

  /** Takes `data` from `at` on. */
  take(data: Buffer, at: number): void {
    if (this.#isChunked) this.#takeChunks(data, at)
    else {
      this.#takeBody(data, at)
      this.isOver = this.#leftBytes === 0
    }
  }

  #takeBody(data: Buffer, at: number): number {
    const bytes = Math.min(this.#leftBytes, data.length - at)
    this.#leftBytes -= bytes
    this.bodyBytes += bytes
    return at + bytes
  }

  #takeChunks(data: Buffer, from: number): void {
    let at = from
    while (at < data.length && !this.isOver) {
      if (this.#leftBytes > 0) {
        at = this.#takeBody(data, at)
        continue
      }
      const stop = data.indexOf(lineFeed, at)
      const end = stop < 0 ? data.length : stop
      this.#line += data.toString('latin1', at, end)
      at = end + 1
      if (stop >= 0) this.#endLine()
    }
  }

  #endLine(): void {
    const line = this.#line.trim()
    this.#line = ''
    if (this.#isTrailer) this.isOver = line === ''
    else if (line !== '') {
      this.#leftBytes = Number.parseInt(line, 16)
      this.#isTrailer = this.#leftBytes === 0
    } // Else it is the line end after a chunk.
  }
}
