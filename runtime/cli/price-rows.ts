// Prices as a table, and of one model in full.
import type { PriceRow } from '../proxy/api.ts'
import { toCountText } from './event-text.ts'
import type { Column } from './table.ts'

/** `$0.075`: as many places as it needs. */
export const toPriceText = (usd: number) => `$${Number(usd.toFixed(6))}`

const first = ({ tiers: [tier] }: PriceRow) => tier
const toRateText = (row: PriceRow, name: Exclude<keyof PriceRow['tiers'][number], 'above'>) => {
  const tier = first(row)
  return tier === undefined ? '-' : toPriceText(tier[name])
}
const toLimitText = (tokens: number | null) => (tokens === null ? '-' : toCountText(tokens))

export const priceColumns: Column<PriceRow>[] = [
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'MODEL', of: ({ model }) => model },
  { title: 'FROM', of: ({ source }) => source ?? '-' },
  { title: 'IN', of: (row) => toRateText(row, 'input'), align: 'right' },
  { title: 'CACHED', of: (row) => toRateText(row, 'cached'), align: 'right' },
  { title: 'WRITE 5M', of: (row) => toRateText(row, 'cacheWrite5m'), align: 'right' },
  { title: 'WRITE 1H', of: (row) => toRateText(row, 'cacheWrite1h'), align: 'right' },
  { title: 'OUT', of: (row) => toRateText(row, 'output'), align: 'right' },
  { title: 'CONTEXT', of: (row) => toLimitText(row.contextTokensMax), align: 'right' },
  { title: 'ANSWER', of: (row) => toLimitText(row.outputTokensMax), align: 'right' },
]

/** Names and values of one model, for `toFields`. */
export function toPriceFields(row: PriceRow): Record<string, string | null> {
  const tiers = row.tiers.map((tier) => {
    const { above, input, cached, cacheWrite5m, cacheWrite1h, output, reasoning } = tier
    const name = above === 0 ? 'price' : `over ${toCountText(above)}`
    const parts = { in: input, cached, 'write 5m': cacheWrite5m, 'write 1h': cacheWrite1h }
    const said = { out: output, ...(reasoning !== output && { thought: reasoning }) }
    const texts = Object.entries({ ...parts, ...said })
    return [name, texts.map(([part, usd]) => `${part} ${toPriceText(usd)}`).join(', ')] as const
  })
  const tools = Object.entries(row.serverTools).map(
    ([tool, { usd, usesMax }]) =>
      `${tool} ${toPriceText(usd)}${usesMax === null ? '' : `, ${usesMax} a call at most`}`,
  )
  const ways = Object.entries(row.serviceTiers).map(([name, factor]) => `${name} ×${factor}`)
  return {
    model: row.model,
    kind: row.kind,
    from: row.source ?? 'nowhere: its calls are counted, and have no price',
    ...Object.fromEntries(tiers),
    tools: tools.length === 0 ? null : tools.join('; '),
    served: ways.length === 0 ? null : ways.join(', '),
    context: row.contextTokensMax === null ? 'not known' : String(row.contextTokensMax),
    answer: row.outputTokensMax === null ? 'not known' : String(row.outputTokensMax),
  }
}
