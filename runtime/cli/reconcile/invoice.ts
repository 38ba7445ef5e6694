// A vendor's export of usage or cost as rows of ours. Columns are known by their titles, so Anthropic's and OpenAI's exports
// are taken as they are; a neutral form is lines of JSON `{day, model, input, cached, cacheWrite, output, usd}`.
import { failure } from '../errors.ts'
import { parseCsv } from './csv-read.ts'

/** Tokens and nano-dollars of one model on one day. Null = the export does not tell it. */
export type Amounts = {
  /** All of the prompt, as the ledger counts it. */
  input: number | null
  cached: number | null
  cacheWrite: number | null
  output: number | null
  nanoUsd: number | null
}
export type InvoiceRow = Amounts & { day: string; model: string }

export const amountNames = ['input', 'cached', 'cacheWrite', 'output', 'nanoUsd'] as const

export function parseInvoice(text: string, path: string): InvoiceRow[] {
  try {
    const rows = text.trimStart().startsWith('{') ? parseLines(text) : parseTable(text)
    if (rows.length === 0) throw new Error('it has no rows')
    return rows
  } catch (cause) {
    throw failure('cli/file', `${path} is no export that is known: ${(cause as Error).message}.`, {
      cause,
    })
  }
}

function parseLines(text: string): InvoiceRow[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  return lines.map((line, at) => {
    const row = JSON.parse(line) as Record<string, unknown>
    if (typeof row.day !== 'string' || typeof row.model !== 'string')
      throw new Error(`line ${at + 1} has no day or no model`)
    const count = (name: string) => (row[name] === undefined ? null : toNumber(row[name], name))
    const usd = count('usd')
    return {
      day: toDay(row.day),
      model: row.model,
      input: count('input'),
      cached: count('cached'),
      cacheWrite: count('cacheWrite'),
      output: count('output'),
      nanoUsd: usd === null ? null : toNano(usd),
    }
  })
}

// What exports call their columns, in the order of preference.
const titles = {
  day: ['usage_date_utc', 'usage_date', 'date', 'day', 'start_time_iso', 'start_time'],
  model: ['model_version', 'model', 'snapshot_id', 'line_item'],
  /** The prompt without what is cached. */
  plain: ['usage_input_tokens_no_cache', 'uncached_input_tokens', 'input_uncached_tokens'],
  all: ['input_tokens', 'prompt_tokens', 'input'],
  cached: [
    ...['usage_input_tokens_cache_read', 'cache_read_input_tokens', 'input_cached_tokens'],
    ...['cached_input_tokens', 'cached_tokens', 'cached'],
  ],
  write: ['cache_creation_input_tokens', 'cache_write_tokens', 'cachewrite', 'cache_write'],
  write5m: ['usage_input_tokens_cache_write_5m', 'ephemeral_5m_input_tokens'],
  write1h: ['usage_input_tokens_cache_write_1h', 'ephemeral_1h_input_tokens'],
  output: ['usage_output_tokens', 'output_tokens', 'completion_tokens', 'output'],
  usd: ['cost_usd', 'amount_value', 'usd', 'cost', 'amount'],
} as const
type Column = keyof typeof titles

function parseTable(text: string): InvoiceRow[] {
  const [head = [], ...rows] = parseCsv(text)
  const names = head.map((name) => name.trim().toLowerCase().replaceAll(' ', '_'))
  const at = (column: Column) => titles[column].map((name) => names.indexOf(name)).find(isPlace)
  const places = Object.fromEntries(
    Object.keys(titles).map((column) => [column, at(column as Column)]),
  ) as Record<Column, number | undefined>
  if (places.day === undefined) throw new Error(`no column has the day (${titles.day.join(', ')})`)
  if (places.model === undefined) throw new Error('no column has the model')
  // Anthropic's API names the prompt without its cache as OpenAI's names all of it.
  const isAnthropic = names.includes('cache_read_input_tokens')
  return rows
    .map((cells) => toRow(cells, places, isAnthropic))
    .filter((row) => amountNames.some((name) => row[name] !== null))
}

const isPlace = (place: number) => place >= 0

function toRow(
  cells: readonly string[],
  places: Record<Column, number | undefined>,
  isAnthropic: boolean,
): InvoiceRow {
  const text = (column: Column) =>
    places[column] === undefined ? '' : (cells[places[column]] ?? '')
  const count = (column: Column) =>
    text(column).trim() === '' ? null : toNumber(text(column), column)
  const split = sum(count('write5m'), count('write1h'))
  const cacheWrite = count('write') ?? split
  const cached = count('cached')
  const told = count('all')
  const plain = count('plain') ?? (isAnthropic ? told : null)
  const beside = sum(plain, sum(cached, cacheWrite))
  const usd = count('usd')
  return {
    day: toDay(text('day')),
    model: text('model').split(',')[0]!.trim(), // OpenAI's costs name `gpt-5, cached input`.
    input: isAnthropic || told === null ? (plain === null ? null : beside) : told,
    cached,
    cacheWrite,
    output: count('output'),
    nanoUsd: usd === null ? null : toNano(usd),
  }
}

export const sum = (one: number | null, other: number | null) =>
  one === null ? other : other === null ? one : one + other

const nanoPerUsd = 1_000_000_000
const toNano = (usd: number) => Math.round(usd * nanoPerUsd)

function toNumber(value: unknown, name: string): number {
  const number = typeof value === 'string' ? Number(value.replace(/[$\s]/g, '')) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw new Error(`${name} has ${JSON.stringify(value)}, which is no number`)
}

/** A day as it stands, the day of a time, or of seconds since 1970, in UTC. */
function toDay(text: string): string {
  const seconds = /^\d{9,11}$/.test(text.trim()) ? Number(text) : undefined
  const iso = seconds === undefined ? text.trim() : new Date(seconds * 1_000).toISOString()
  const [day] = /^\d{4}-\d{2}-\d{2}/.exec(iso) ?? []
  if (day === undefined) throw new Error(`${JSON.stringify(text)} is no day`)
  return day
}
