// A table for spreadsheets, by RFC 4180.

export type CsvColumn<T> = readonly [title: string, of: (item: T) => string | number | null]

export const toCsv = <T>(items: readonly T[], columns: readonly CsvColumn<T>[]): string[] => [
  columns.map(([title]) => title).join(','),
  ...items.map((item) => columns.map(([, of]) => toCell(of(item))).join(',')),
]

// **Security.** A spreadsheet runs a text that begins like a formula, and some texts here are a client's or an upstream's.
const formula = /^[=+\-@\t\r]/

function toCell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const text = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const nanoPerUsd = 1_000_000_000

/** Exact to the nano-dollar, without a sign that a spreadsheet would read as text. */
export const toUsdNumber = (nanoUsd: number) => (nanoUsd / nanoPerUsd).toFixed(9)
