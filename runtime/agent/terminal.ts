// What people see. The model's words and paths are untrusted: no control character of theirs
// reaches the terminal.
import type { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'

export type Terminal = {
  /** Words of the model, as they come. */
  say(text: string): void
  /** A line of its own. */
  line(text: string): void
  /** Opens a line, which the returned function ends. */
  begin(text: string): (rest: string) => void
}

const lineCharsMax = 160

export function createTerminal(out: Writable): Terminal {
  let isAtStart = true
  out.on('error', () => {}) // A terminal that went away does not end the work.
  const write = (text: string) => {
    if (text === '') return
    out.write(text)
    isAtStart = text.endsWith('\n')
  }
  const startLine = (text: string) => write(`${isAtStart ? '' : '\n'}${toLine(text)}`)
  return {
    say: (text) => write(toPlain(text)),
    line: (text) => startLine(text) ?? write('\n'),
    begin(text) {
      startLine(text)
      return (rest) => write(` → ${toLine(rest)}\n`)
    },
  }
}

// Bidirectional controls could make a line read as something else. https://trojansource.codes
const toPlain = (text: string) =>
  stripVTControlCharacters(text).replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (found) =>
    found === '\n' || found === '\t' ? found : '',
  )

function toLine(text: string): string {
  const line = toPlain(text).replace(/\s+/g, ' ').trim()
  return line.length > lineCharsMax ? `${line.slice(0, lineCharsMax - 1)}…` : line
}
