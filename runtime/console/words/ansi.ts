// A program's output as lines of coloured pieces. Colours and bold are kept; every other sequence is dropped.
import { toVisible } from './visible.ts'

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'violet' | 'grey'
export type Piece = { text: string; colour: Colour | null; isBold: boolean }
export type OutputLine = readonly Piece[]

type Style = { colour: Colour | null; isBold: boolean }

const plain: Style = { colour: null, isBold: false }
const colours: readonly (Colour | null)[] = [
  null, // Black and white are the page's own.
  'red',
  'green',
  'yellow',
  'blue',
  'violet',
  'blue',
  null,
]

// CSI, then OSC and other strings up to their end, then short escapes. ECMA-48.
const sequence =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  /\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|\x9b[0-9;:?]*[@-~]/g

export const stripAnsi = (text: string): string => text.replace(sequence, '')

export function toOutputLines(text: string): OutputLine[] {
  let style = plain
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => {
    const pieces: Piece[] = []
    style = readLine(withoutReturns(line), style, pieces)
    return pieces
  })
}

/** Of the line's end. Not by a pattern: one that looks for an end tries from each place on, and an agent may write 64 KiB of them. */
function withoutReturns(line: string): string {
  let end = line.length
  while (line[end - 1] === '\r') end -= 1
  return line.slice(0, end)
}

/** A carriage return writes the line anew, as progress bars do: what stands last is shown. */
function readLine(line: string, before: Style, pieces: Piece[]): Style {
  let style = before
  let from = 0
  const say = (until: number) => {
    const parts = line.slice(from, until).split('\r')
    if (parts.length > 1) pieces.length = 0
    const text = toVisible(parts.at(-1)!)
    if (text !== '') pieces.push({ text, ...style })
  }
  for (const found of line.matchAll(sequence)) {
    say(found.index)
    from = found.index + found[0].length
    if (found[2] === 'm') style = toStyle(found[1] ?? '', style)
  }
  say(line.length)
  return style
}

function toStyle(codes: string, before: Style): Style {
  let style = before
  const numbers = codes.split(/[;:]/).map(Number)
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at]!
    if (code === 38 || code === 48) at += numbers[at + 1] === 5 ? 2 : 4
    else style = applyCode(code, style)
  }
  return style
}

function applyCode(code: number, style: Style): Style {
  if (code === 0) return plain
  if (code === 1) return { ...style, isBold: true }
  if (code === 22) return { ...style, isBold: false }
  if (code === 2 || code === 90) return { ...style, colour: 'grey' }
  if (code === 39) return { ...style, colour: null }
  if (code >= 30 && code <= 37) return { ...style, colour: colours[code - 30]! }
  if (code >= 91 && code <= 97) return { ...style, colour: colours[code - 90]! }
  return style
}

export const toText = (line: OutputLine): string => line.map(({ text }) => text).join('')
