// The objects of a JSON array as they come, out of bytes that may be cut anywhere: how Gemini streams when nobody asks for
// server-sent events. An object that stands alone is one as well, so this reads whole answers too.
import { StringDecoder } from 'node:string_decoder'

const valueCharsMax = 32 * 1024 * 1024 // As large as a whole answer may be to be read.

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d

export class JsonValues {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onValue: (json: string) => void
  #parts: string[] = []
  #partsChars = 0
  #depth = 0
  #isInString = false
  #isEscaped = false

  constructor(onValue: (json: string) => void) {
    this.#onValue = onValue
  }

  /** Throws for a value over the limit. */
  push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk)
    let from = 0
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (this.#isInString) this.#inString(code)
      else if (code === quote) this.#isInString = true
      else if (code === openBrace && this.#depth++ === 0) from = at
      else if (code === closeBrace && this.#depth > 0 && --this.#depth === 0) {
        this.#onValue(this.#take(text.slice(from, at + 1)))
      }
    }
    if (this.#depth > 0) this.#keep(text.slice(from))
  }

  #inString(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (code === backslash) this.#isEscaped = true
    else if (code === quote) this.#isInString = false
  }

  #keep(part: string): void {
    this.#partsChars += part.length
    if (this.#partsChars > valueCharsMax) throw new Error('a value is too long to be read')
    this.#parts.push(part)
  }

  #take(last: string): string {
    if (this.#parts.length === 0) return last
    const value = this.#parts.join('') + last
    this.#parts = []
    this.#partsChars = 0
    return value
  }
}
