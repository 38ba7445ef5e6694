// Figures as people read them.

/** The value below which `share` of them lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
export const median = (values: readonly number[]) => quantile(values, 0.5)

/** Least squares: how much y grows when x grows by one. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (index: 0 | 1) =>
    points.reduce((sum, point) => sum + point[index], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  let rise = 0
  let run = 0
  for (const [x, y] of points) {
    rise += (x - meanX) * (y - meanY)
    run += (x - meanX) ** 2
  }
  return rise / run
}

/** Three digits that say something. */
export function toText(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  if (size >= 1_000) return Math.round(value).toLocaleString('en')
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  return value.toFixed(size >= 1 ? 2 : 3)
}

export const toRatio = (value: number, base: number) => {
  const ratio = value / base
  return Number.isFinite(ratio) ? `${ratio.toFixed(2)}x` : '-'
}

export type Cell = string | number

/** A Markdown table that also reads well in a terminal. */
export function toTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [
    head,
    ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? toText(cell) : cell))),
  ]
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)))
  const toLine = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [first, ...others] = texts.map(toLine)
  return [first, rule, ...others, ''].join('\n')
}
