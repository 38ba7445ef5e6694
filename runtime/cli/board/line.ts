// A line of the screen: spans of text with their looks. A span's text is harmless for any terminal, whoever wrote it.
import { stripVTControlCharacters } from 'node:util'
import { toOneLine, toPrintable } from '../printable.ts'
import type { Paint } from '../signs.ts'
import { cut, widthOf } from '../table.ts'

export type Look = Paint | 'bold' | 'dim' | 'inverse'
export type Span = { readonly text: string; readonly looks: readonly Look[] }
export type Line = readonly Span[]

/** The only way to make a span: control characters become visible, and no text is longer than its line. */
export const span = (text: string, ...looks: Look[]): Span => ({ text: toHarmless(text), looks })

export const toHarmless = (text: string) => toOneLine(toPrintable(text)).replaceAll('\t', ' ')

export const widthOfLine = (line: Line) => line.reduce((sum, { text }) => sum + widthOf(text), 0)

export function cutLine(line: Line, width: number): Line {
  const kept: Span[] = []
  let left = width
  for (const { text, looks } of line) {
    if (left <= 0) break
    const part = { text: cut(text, left), looks }
    kept.push(part)
    left -= widthOf(part.text)
  }
  return kept
}

export const padLine = (line: Line, width: number): Line => {
  const kept = cutLine(line, width)
  const space = width - widthOfLine(kept)
  return space > 0 ? [...kept, { text: ' '.repeat(space), looks: [] }] : kept
}

/** `left` from the start, `right` to the end; where both do not fit, `left` is cut. */
export function spread(left: Line, right: Line, width: number): Line {
  const kept = cutLine(right, width)
  return [...padLine(left, Math.max(0, width - widthOfLine(kept))), ...kept]
}

export const withLook = (line: Line, look: Look): Line =>
  line.map(({ text, looks }) => ({ text, looks: [...looks, look] }))

export const toText = (line: Line) =>
  line
    .map(({ text }) => text)
    .join('')
    .trimEnd()

// ECMA-48 SGR. The bright blue, for the dark one can't be read on black.
const codes = {
  ...{ bold: 1, dim: 2, inverse: 7, red: 31, green: 32, yellow: 33, blue: 94, magenta: 35 },
  grey: 90,
} as const satisfies Record<Look, number>
const colourless: readonly Look[] = ['bold', 'dim', 'inverse'] // https://no-color.org is about colours.

export function toAnsi(line: Line, hasColours: boolean): string {
  let text = ''
  let looking = ''
  for (const span of line) {
    const shown = span.looks.filter((look) => hasColours || colourless.includes(look))
    const sgr = shown.map((look) => codes[look]).join(';')
    if (sgr !== looking) text += sgr === '' ? '\x1b[0m' : `\x1b[0;${sgr}m`
    looking = sgr
    text += span.text
  }
  return looking === '' ? text : `${text}\x1b[0m`
}

/** For terminals that know no more: as many columns wide as it was. */
export const toAscii = (line: Line): Line =>
  line.map(({ text, looks }) => ({
    text: text.replaceAll('…', '~').replace(/[^ -~]/gu, (char) => '?'.repeat(widthOf(char))),
    looks,
  }))

const linesMax = 400 // More than the highest screen; the rest is in `treadle loop logs`.

/** What a program wrote to its terminal, as the lines one would have read there: no colours, no cursor moves. */
export function toPlainLines(output: string): string[] {
  const text = stripVTControlCharacters(output).replaceAll('\r\n', '\n')
  const lines = text.trimEnd().split('\n').slice(-linesMax)
  return lines.map((line) => toHarmless(line.slice(line.lastIndexOf('\r') + 1)).trimEnd())
}
