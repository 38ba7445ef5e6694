// The few shapes that are drawn with. The Linux console's font and encodings other than UTF-8 have ASCII alone.
import { type Sign, signs } from '../signs.ts'
import { type Span, span } from './line.ts'

const unicode = {
  ...{ full: '█', empty: '░', agent: '█', gates: '▒', pointer: '▸', tick: '✓', cross: '✗' },
  ...{ boxDone: '☑', boxOpen: '☐', rule: '─', link: '●', noLink: '○', back: '‹', dot: '·' },
}
export type Glyphs = Readonly<Record<keyof typeof unicode, string>> & { isUnicode: boolean }

const ascii: Record<keyof typeof unicode, string> = {
  ...{ full: '#', empty: '.', agent: '#', gates: '=', pointer: '>', tick: '+', cross: 'x' },
  ...{ boxDone: '[x]', boxOpen: '[ ]', rule: '-', link: '*', noLink: 'o', back: '<', dot: '|' },
}

export const glyphsOf = (isUnicode: boolean): Glyphs => ({
  ...(isUnicode ? unicode : ascii),
  isUnicode,
})

export const signSpan = (sign: Sign, { isUnicode }: Glyphs): Span =>
  span(isUnicode ? signs[sign].sign : signs[sign].plain, signs[sign].paint)
