// The list of @pydantic/genai-prices (MIT), in our terms: what fills in where no price of our own stands.
import { calcPrice, type ModelPrice as Listed, type TieredPrices } from '@pydantic/genai-prices'
import type { Provider } from '../api.ts'
import { nanoOf, type RateTier, type ToolRate, toRates } from './rates.ts'

export type ListedPrice = {
  tiers: readonly RateTier[] | null
  serverTools: ReadonlyMap<string, ToolRate>
  contextTokensMax: number | undefined
}

/** What the list calls each vendor. */
const listNames: Readonly<Record<string, string>> = {
  anthropic: 'anthropic',
  openai: 'openai',
  gemini: 'google',
  zai: 'zai',
}

/** A vendor's own model, or one that speaks the vendor's wire. Some 50 us a call, so only for what is not yet known. */
export function findListed(
  kind: Provider['kind'],
  model: string,
  timestamp: Date,
): ListedPrice | null {
  if (kind === 'rehearsal') return null
  const providerId = listNames[kind]
  const found =
    (providerId ? calc(model, { providerId, timestamp }) : null) ?? calc(model, { timestamp })
  if (!found) return null
  const { model_price: prices, model: about } = found
  return {
    tiers: toTiers(prices),
    serverTools: toTools(prices),
    contextTokensMax: about.context_window,
  }
}

/** The list throws for a price that lacks what it builds on; to us that is no price. */
function calc(model: string, options: { providerId?: string; timestamp: Date }) {
  try {
    return calcPrice({ input_tokens: 0, output_tokens: 0 }, model, options)
  } catch {
    return null
  }
}

/** Null where it prices no text at all: speech by the hour, or nothing told. */
function toTiers(prices: Listed): RateTier[] | null {
  if (prices.input_mtok === undefined && prices.output_mtok === undefined) return null
  const starts = Object.values(prices).flatMap((price) =>
    typeof price === 'object' ? price.tiers.map(({ start }) => start) : [],
  )
  return [0, ...new Set(starts)]
    .toSorted((a, b) => a - b)
    .map((above) => ({ above, rates: toRates(toNamed(prices, above)) }))
}

function toNamed(prices: Listed, above: number) {
  const at = (name: string) => usdAt(prices[name], above)
  const defined = {
    cached: at('cache_read_mtok'),
    cacheWrite5m: at('cache_write_mtok'),
    cacheWrite1h: at('cache_write_1h_mtok'),
    output: at('output_mtok'),
    reasoning: at('output_reasoning_mtok'),
  }
  const told = Object.entries(defined).filter(([, usd]) => usd !== undefined)
  return { input: at('input_mtok') ?? 0, ...(Object.fromEntries(told) as Record<string, number>) }
}

function usdAt(price: number | TieredPrices | undefined, above: number): number | undefined {
  if (typeof price !== 'object') return price
  const reached = price.tiers.filter(({ start }) => start <= above)
  return reached.reduce((best, tier) => (tier.start >= best.start ? tier : best), {
    start: -1,
    price: price.base,
  }).price
}

/** What the list has by a thousand uses. */
const toolNames = { web_searches_kcount: 'web_search', storage_searches_kcount: 'file_search' }

function toTools(prices: Listed): Map<string, ToolRate> {
  const found = Object.entries(toolNames).flatMap(([listed, tool]) => {
    const usd = prices[listed]
    return typeof usd === 'number'
      ? [[tool, { nanoUsd: nanoOf(usd / 1_000), usesMax: undefined }] as const]
      : []
  })
  return new Map(found)
}
