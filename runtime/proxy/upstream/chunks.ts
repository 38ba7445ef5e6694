// The chunked coding (RFC 9112 section 7.1), followed over the pieces that a socket gives. Strict: sizes of bare hexadecimal
// digits, CRLF everywhere. Extensions are skipped, trailers dropped: nobody was told that they would be checked.
import { UpstreamError } from './error.ts'

export type Taken = {
  /** Where the body's bytes ended in the piece; its length, as long as the body is not over. */
  end: number
  payload: Buffer | null
  /** The same with its framing, the trailers left out. */
  raw: Buffer | null
}

type State = 'size' | 'extension' | 'size-end' | 'data' | 'data-end' | 'trailer' | 'over'

const sizeDigitsMax = 13 // Below 2^53.
const lineBytesMax = 4 * 1024 // Of extensions in one line, and of all trailers.
const carriageReturn = 0x0d
const lineFeed = 0x0a
const semicolon = 0x3b
const lastLine = Buffer.from('\r\n')

export class Chunks {
  #state: State = 'size'
  #size = 0
  #digits = 0
  #lineBytes = 0
  #hasReturn = false
  #isLineEmpty = true
  #parts: Buffer[] = []
  #partsBytes = 0

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** Throws for what is no chunk. */
  take(data: Buffer, from: number): Taken {
    let at = from
    let rawEnd = -1 // Where the raw bytes stop before trailers, if they do in this piece.
    const wasTrailer = this.#state === 'trailer'
    while (at < data.length && this.#state !== 'over') {
      if (this.#state === 'data') at = this.#takeData(data, at)
      else if (this.#state === 'trailer') {
        if (rawEnd < 0) rawEnd = at
        at = this.#takeTrailer(data, at)
      } else {
        this.#takeByte(data[at]!)
        at += 1
      }
    }
    return {
      end: at,
      payload: this.#takeParts(),
      raw: this.#toRaw(data, { from, at, rawEnd, wasTrailer }),
    }
  }

  /** What there is of raw bytes in a piece; a trailer section, empty or not, becomes the one empty line that ends it. */
  #toRaw(
    data: Buffer,
    {
      from,
      at,
      rawEnd,
      wasTrailer,
    }: { from: number; at: number; rawEnd: number; wasTrailer: boolean },
  ): Buffer | null {
    const isOver = this.#state === 'over'
    if (wasTrailer) return isOver ? lastLine : null
    if (rawEnd < 0) return at > from ? data.subarray(from, at) : null
    if (!isOver) return rawEnd > from ? data.subarray(from, rawEnd) : null
    if (at === rawEnd + 2) return data.subarray(from, at) // No trailers, as nearly always.
    return Buffer.concat([data.subarray(from, rawEnd), lastLine])
  }

  #takeData(data: Buffer, at: number): number {
    const end = Math.min(data.length, at + this.#size)
    this.#parts.push(data.subarray(at, end))
    this.#partsBytes += end - at
    this.#size -= end - at
    if (this.#size === 0) this.#state = 'data-end'
    return end
  }

  #takeParts(): Buffer | null {
    const parts = this.#parts
    if (parts.length === 0) return null
    const bytes = this.#partsBytes
    this.#parts = []
    this.#partsBytes = 0
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes)
  }

  #takeByte(byte: number): void {
    switch (this.#state) {
      case 'size':
        return void this.#takeSize(byte)
      case 'extension':
        return void this.#takeExtension(byte)
      case 'size-end':
        if (byte !== lineFeed) throw malformed()
        this.#endSize()
        return
      case 'data-end':
        if (byte !== (this.#hasReturn ? lineFeed : carriageReturn)) throw malformed()
        if (this.#hasReturn) this.#state = 'size'
        this.#hasReturn = !this.#hasReturn
    }
  }

  #takeSize(byte: number): void {
    const digit = toDigit(byte)
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit
      this.#digits += 1
      if (this.#digits > sizeDigitsMax) throw malformed()
      return
    }
    if (this.#digits === 0) throw malformed()
    if (byte === carriageReturn) this.#state = 'size-end'
    else if (byte === semicolon) {
      this.#state = 'extension'
      this.#lineBytes = 0
    } else throw malformed()
  }

  #takeExtension(byte: number): void {
    this.#lineBytes += 1
    if (byte === carriageReturn) this.#state = 'size-end'
    else if (this.#lineBytes > lineBytesMax || byte < 0x20 || byte > 0x7e) throw malformed()
  }

  #endSize(): void {
    this.#digits = 0
    this.#lineBytes = 0
    this.#state = this.#size > 0 ? 'data' : 'trailer'
  }

  /** Lines until an empty one. */
  #takeTrailer(data: Buffer, from: number): number {
    for (let at = from; at < data.length; at += 1) {
      const byte = data[at]!
      this.#lineBytes += 1
      if (this.#hasReturn) {
        if (byte !== lineFeed) throw malformed()
        this.#hasReturn = false
        if (this.#isLineEmpty) {
          this.#state = 'over'
          return at + 1
        }
        this.#isLineEmpty = true
      } else if (byte === carriageReturn) this.#hasReturn = true
      else if (byte === lineFeed || this.#lineBytes > lineBytesMax) throw malformed()
      else this.#isLineEmpty = false
    }
    return data.length
  }
}

const malformed = () => new UpstreamError('malformed', 'a chunk is not as it must be')

function toDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
