import type { Colours } from './colours.ts'

export type Column<T> = { title: string; of: (item: T) => string; align?: 'left' | 'right' }

const gap = '  '
const cellCharsMin = 8 // Below it a cut cell says nothing; the line may then wrap.

/** Rows under their titles. Where they are wider than the terminal, the widest columns are cut. */
export function toTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  { colours, widthMax }: { colours: Colours; widthMax: number },
): string[] {
  const rows = items.map((item) => columns.map(({ of }) => of(item).replace(/\s+/g, ' ').trim()))
  const titles = columns.map(({ title }) => title)
  const natural = titles.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i]!)].map(widthOf)),
  )
  const widths = fit(natural, widthMax)
  const toLine = (cells: string[]) =>
    cells
      .map((cell, i) => pad(cut(cell, widths[i]!), widths[i]!, columns[i]!.align ?? 'left'))
      .join(gap)
      .trimEnd()
  return [colours.bold(toLine(titles)), ...rows.map(toLine)]
}

/** Takes from the widest column until all fit. */
function fit(natural: readonly number[], widthMax: number): number[] {
  const widths = [...natural]
  const total = () => widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1))
  while (total() > widthMax) {
    const widest = widths.indexOf(Math.max(...widths))
    if (widths[widest]! <= cellCharsMin) break
    widths[widest]! -= 1
  }
  return widths
}

function pad(cell: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(cell)))
  return align === 'left' ? cell + space : space + cell
}

export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  for (const char of text) {
    if (widthOf(kept + char) > width - 1) break
    kept += char
  }
  return `${kept}…`
}

// Characters that a terminal draws two columns wide: East Asian wide (UAX #11) and pictographs.
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

export function widthOf(text: string): number {
  let width = 0
  for (const char of text) width += /\p{M}|\u200d/u.test(char) ? 0 : wide.test(char) ? 2 : 1
  return width
}
