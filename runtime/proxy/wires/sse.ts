// Server-sent events out of bytes that may be cut anywhere: inside a character, a line, a line's end.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
import { StringDecoder } from 'node:string_decoder'

const eventCharsMax = 16 * 1024 * 1024 // A closing event repeats a whole answer; above this nothing is read any more.

const letterE = 0x65
const space = 0x20

export class SseReader {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onData: (data: string) => void
  #parts: string[] = []
  #partsChars = 0
  #data: string | undefined
  #wasCr = false

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** Throws for an event over the limit. */
  push(chunk: Buffer): void {
    const text = this.#toLf(this.#decoder.write(chunk))
    let from = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      // Most lines that are no data name the event, which the data does as well.
      const isName = this.#parts.length === 0 && text.charCodeAt(from) === letterE
      if (!isName) this.#line(this.#take(text.slice(from, end)))
      from = end + 1
    }
    if (from < text.length) this.#keep(text.slice(from))
  }

  /** An event without its blank line at the very end still counts: some servers leave it out. */
  end(): void {
    this.#line(this.#take(this.#decoder.end()))
    this.#line('')
  }

  /** A line ends by CR, LF, or both; between the two the bytes may be cut. */
  #toLf(read: string): string {
    let text = read
    if (!this.#wasCr && !text.includes('\r')) return text
    if (text === '') return text
    if (this.#wasCr && text.startsWith('\n')) text = text.slice(1)
    this.#wasCr = text.endsWith('\r')
    return text.replace(/\r\n?/g, '\n')
  }

  #keep(part: string): void {
    this.#partsChars += part.length
    if (this.#partsChars > eventCharsMax) throw new Error('an event is too long to be read')
    this.#parts.push(part)
  }

  #take(last: string): string {
    if (this.#parts.length === 0) return last
    this.#parts.push(last)
    const line = this.#parts.join('')
    this.#parts = []
    this.#partsChars = 0
    return line
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data !== undefined) this.#onData(this.#data)
      this.#data = undefined
    } else if (line.startsWith('data:')) {
      const value = line.slice(line.charCodeAt(5) === space ? 6 : 5)
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
      if (this.#data.length > eventCharsMax) throw new Error('an event is too long to be read')
    }
  }
}
