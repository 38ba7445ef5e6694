// The ledger beside an invoice, by day and model. Pure.
import type { UsageRow } from '../../proxy/api.ts'
import { type Amounts, amountNames, type InvoiceRow, sum } from './invoice.ts'

export type Compared = {
  day: string
  model: string
  ledger: Amounts
  invoice: Amounts
  /** The ledger less the invoice. Null = the invoice does not tell it. */
  difference: Amounts
  isEqual: boolean
  estimatedCalls: number
  unpricedCalls: number
}
export type Comparison = {
  isEqual: boolean
  rows: Compared[]
  total: Omit<Compared, 'day' | 'model'>
}

const centShare = 5_000_000 // Half a cent, in nano-dollars: exports round to cents.

const nothing: Amounts = { input: 0, cached: 0, cacheWrite: 0, output: 0, nanoUsd: 0 }
const untold: Amounts = {
  ...{ input: null, cached: null, cacheWrite: null, output: null, nanoUsd: null },
}

/** `tolerance` is a share of the larger figure: 0.01 = one in a hundred. */
export function compare(
  usage: readonly UsageRow[],
  invoice: readonly InvoiceRow[],
  tolerance: number,
): Comparison {
  const told = toTold(invoice)
  const booked = groupBy(usage.filter(({ isRehearsal }) => !isRehearsal))
  const invoiced = groupBy(invoice)
  const keys = [...new Set([...booked.keys(), ...invoiced.keys()])].toSorted()
  const rows = keys.map((key) => {
    const [ours = [], theirs = []] = [booked.get(key), invoiced.get(key)]
    const { day, model } = theirs[0] ?? ours[0]!
    const ledger = ours.map(toAmounts).reduce(add, nothing)
    const due = theirs.reduce<Amounts>(add, untold)
    return { day, model, ...toCompared(ledger, fill(due, told), tolerance), ...countsOf(ours) }
  })
  const total = toCompared(
    rows.map(({ ledger }) => ledger).reduce(add, nothing),
    rows.map((row) => row.invoice).reduce(add, untold),
    tolerance,
  )
  const isEqual = rows.every((row) => row.isEqual)
  return { isEqual, rows, total: { ...total, ...countsOf(usage) } }
}

/** A model in an invoice has its date, or a name for people, where a call had neither. */
export const toKey = (model: string) =>
  model
    .toLowerCase()
    .replace(/[\s._@]+/g, '-')
    .replace(/-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$/, '')

function groupBy<T extends { day: string; model: string }>(rows: readonly T[]): Map<string, T[]> {
  return Map.groupBy(rows, ({ day, model }) => `${day} ${toKey(model)}`)
}

const toAmounts = ({ usage, costNanoUsd }: UsageRow): Amounts => ({
  input: usage.inputTokens,
  cached: usage.cachedTokens,
  cacheWrite: usage.cacheWriteTokens,
  output: usage.outputTokens,
  nanoUsd: costNanoUsd,
})

const each = (of: (name: (typeof amountNames)[number]) => number | null) =>
  Object.fromEntries(amountNames.map((name) => [name, of(name)])) as Amounts

const add = (one: Amounts, other: Amounts): Amounts => each((name) => sum(one[name], other[name]))

/** What the invoice tells of any model, it tells of all: what it leaves out of one is nothing. */
const toTold = (invoice: readonly InvoiceRow[]) =>
  new Set(amountNames.filter((name) => invoice.some((row) => row[name] !== null)))

const fill = (due: Amounts, told: ReadonlySet<string>): Amounts =>
  each((name) => due[name] ?? (told.has(name) ? 0 : null))

function toCompared(ledger: Amounts, invoice: Amounts, tolerance: number) {
  const difference = each((name) => (invoice[name] === null ? null : ledger[name]! - invoice[name]))
  const isEqual = amountNames.every((name) => {
    const off = Math.abs(difference[name] ?? 0)
    const larger = Math.max(Math.abs(ledger[name] ?? 0), Math.abs(invoice[name] ?? 0))
    return off <= larger * tolerance || (name === 'nanoUsd' && off <= centShare)
  })
  return { ledger, invoice, difference, isEqual }
}

const countsOf = (rows: readonly UsageRow[]) => ({
  estimatedCalls: rows.reduce((sum, row) => sum + row.estimatedCalls, 0),
  unpricedCalls: rows.reduce((sum, row) => sum + row.unpricedCalls, 0),
})
