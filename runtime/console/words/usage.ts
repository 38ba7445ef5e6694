// Usage rows to what a page shows: days without gaps, and sums by what one asks for.
import type { UsageRow } from '../../proxy/api.ts'

export type By = 'model' | 'loop' | 'provider' | 'team' | 'user' | 'key' | 'end-user'
/** What the API sums by only where it is asked to. */
export const askedBy: readonly By[] = ['team', 'user', 'key', 'end-user']
export type Sum = {
  name: string
  isRehearsal: boolean
  calls: number
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  costNanoUsd: number
  unpricedCalls: number
  estimatedCalls: number
}
const dayMs = 86_400_000

/** Days up to today, in UTC, as the ledger counts them. */
export function toDays(days: number, now: number): string[] {
  const today = Math.floor(now / dayMs)
  return Array.from({ length: days }, (_, index) =>
    new Date((today - days + 1 + index) * dayMs).toISOString().slice(0, 10),
  )
}

export const nameOf = (row: UsageRow, by: By): string =>
  (by === 'end-user' ? row.endUser : row[by]) ?? `no ${by}`

/** The most expensive first, then the one with most tokens. */
export function sumBy(rows: readonly UsageRow[], by: By): Sum[] {
  const sums = new Map<string, Sum>()
  for (const row of rows) {
    const name = nameOf(row, by)
    const sum = sums.get(name) ?? { ...nothing, name, isRehearsal: row.isRehearsal }
    sums.set(name, add(sum, row))
  }
  return [...sums.values()].sort(
    (a, b) =>
      b.costNanoUsd - a.costNanoUsd || b.inputTokens - a.inputTokens || (a.name < b.name ? -1 : 1),
  )
}

const nothing = {
  ...{ calls: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
  ...{ costNanoUsd: 0, unpricedCalls: 0, estimatedCalls: 0 },
}

const add = (sum: Sum, row: UsageRow): Sum => ({
  ...sum,
  isRehearsal: sum.isRehearsal && row.isRehearsal,
  calls: sum.calls + row.calls,
  inputTokens: sum.inputTokens + row.usage.inputTokens,
  cachedTokens: sum.cachedTokens + row.usage.cachedTokens,
  outputTokens: sum.outputTokens + row.usage.outputTokens,
  costNanoUsd: sum.costNanoUsd + row.costNanoUsd,
  unpricedCalls: sum.unpricedCalls + row.unpricedCalls,
  estimatedCalls: sum.estimatedCalls + row.estimatedCalls,
})

export const total = (rows: readonly UsageRow[]): Sum =>
  rows.reduce(add, { ...nothing, name: 'all', isRehearsal: true })

export type Metric = 'cost' | 'tokens' | 'calls'
const metrics: Readonly<Record<Metric, (row: UsageRow) => number>> = {
  cost: (row) => row.costNanoUsd / 1e9,
  tokens: (row) => row.usage.inputTokens + row.usage.outputTokens,
  calls: (row) => row.calls,
}

/** One line a name over the days; names beyond the first `linesMax` are summed as `others`. */
export function toLines(
  rows: readonly UsageRow[],
  {
    by,
    metric,
    days,
    linesMax,
  }: { by: By; metric: Metric; days: readonly string[]; linesMax: number },
): { name: string; values: number[] }[] {
  const named = sumBy(rows, by).map(({ name }) => name)
  const shown = named.slice(0, linesMax)
  const lines = new Map(shown.map((name) => [name, days.map(() => 0)]))
  if (named.length > linesMax)
    lines.set(
      'others',
      days.map(() => 0),
    )
  const at = new Map(days.map((day, index) => [day, index]))
  for (const row of rows) {
    const values = lines.get(nameOf(row, by)) ?? lines.get('others')!
    const index = at.get(row.day)
    if (index !== undefined) values[index]! += metrics[metric](row)
  }
  return [...lines].map(([name, values]) => ({ name, values }))
}
