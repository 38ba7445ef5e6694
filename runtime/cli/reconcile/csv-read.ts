// Reads a table by RFC 4180, as vendors export it: quoted cells, any end of line, a mark of the byte order at the start.

export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let cells: string[] = []
  const cell = /("(?:[^"]|"")*"|[^",\r\n][^,\r\n]*|)(,|\r\n|\n|\r|$)/y
  const source = text.replace(/^\ufeff/, '')
  while (cell.lastIndex < source.length) {
    const found = cell.exec(source)
    if (!found) throw new Error(`a quote is not closed in line ${rows.length + 1}`)
    const [, raw, end] = found
    cells.push(raw!.startsWith('"') ? raw!.slice(1, -1).replaceAll('""', '"') : raw!)
    if (end === ',' && cell.lastIndex < source.length) continue
    if (end === ',') cells.push('')
    rows.push(cells)
    cells = []
  }
  return rows.filter((row) => row.some((value) => value.trim() !== ''))
}
