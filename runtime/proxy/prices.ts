// What a call costs, in integer nano-dollars. Own prices from the config win; else the list of @pydantic/genai-prices (MIT).
import { calcPrice, type TieredPrices } from '@pydantic/genai-prices'
import { toNanoUsd } from '#kernel/units.ts'
import type { CallUsage, Provider, ProviderKind } from './api.ts'
import type { Price } from './config.ts'

/** Nano-dollars a token. */
type Rates = { input: number; cached: number; cacheWrite: number; output: number }
type Known = {
  rates: Rates /** Up to here the rates hold; above, a dearer tier may begin. */
  inputTokensMax: number
}

export type Prices = {
  isPriced(kind: Provider['kind'], model: string): boolean
  /** Null = the model has no price. */
  costNanoUsd(kind: Provider['kind'], model: string, usage: CallUsage): number | null
}

const keepMs = 3_600_000 // Prices of the list have dates from which they hold.
const knownMax = 2_000 // Model names come from clients.

export function createPrices(own: readonly Price[], now: () => Date): Prices {
  const known = new Map<string, { at: number; price: Known | null }>()

  const find = (kind: Provider['kind'], model: string): Known | null => {
    const key = `${kind} ${model}`
    const at = now().getTime()
    const kept = known.get(key)
    if (kept && at - kept.at < keepMs) return kept.price
    if (known.size >= knownMax) known.clear()
    const price = findOwn(own, model) ?? (kind === 'rehearsal' ? null : findListed(kind, model))
    known.set(key, { at, price })
    return price
  }

  return {
    isPriced: (kind, model) => find(kind, model) !== null,
    costNanoUsd(kind, model, usage) {
      const price = find(kind, model)
      if (!price) return null
      if (usage.inputTokens <= price.inputTokensMax) return toCost(price.rates, usage)
      return toNanoUsd(calc(kind, model, usage)?.total_price ?? 0)
    },
  }
}

function toCost(
  rates: Rates,
  { inputTokens, cachedTokens, cacheWriteTokens, outputTokens }: CallUsage,
): number {
  const plainTokens = inputTokens - cachedTokens - cacheWriteTokens
  return Math.round(
    plainTokens * rates.input +
      cachedTokens * rates.cached +
      cacheWriteTokens * rates.cacheWrite +
      outputTokens * rates.output,
  )
}

const nanoPerTokenOf = (usdPerMTok: number) => usdPerMTok * 1_000

function findOwn(own: readonly Price[], model: string): Known | null {
  const matches = (pattern: string) =>
    pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
  const price = own.find((candidate) => matches(candidate.model))
  if (!price) return null
  const rates = {
    input: nanoPerTokenOf(price.inputUsdPerMTok),
    cached: nanoPerTokenOf(price.cachedUsdPerMTok),
    cacheWrite: nanoPerTokenOf(price.cacheWriteUsdPerMTok),
    output: nanoPerTokenOf(price.outputUsdPerMTok),
  }
  return { rates, inputTokensMax: Number.POSITIVE_INFINITY }
}

function findListed(kind: ProviderKind, model: string): Known | null {
  const found = calc(kind, model, {
    inputTokens: 0,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
  })
  if (!found) return null
  const prices = found.model_price
  const rate = (price: number | TieredPrices | undefined, missing: number) =>
    price === undefined ? missing : nanoPerTokenOf(typeof price === 'number' ? price : price.base)
  const input = rate(prices.input_mtok, 0)
  const rates = {
    input,
    cached: rate(prices.cache_read_mtok, input),
    cacheWrite: rate(prices.cache_write_mtok, input),
    output: rate(prices.output_mtok, 0),
  }
  return { rates, inputTokensMax: firstTier(Object.values(prices)) }
}

const firstTier = (prices: (number | TieredPrices | undefined)[]) =>
  Math.min(
    ...prices.flatMap((price) =>
      typeof price === 'object' ? price.tiers.map((tier) => tier.start) : [],
    ),
  )

/** What the list calls each vendor. */
const listNames = {
  anthropic: 'anthropic',
  openai: 'openai',
  gemini: 'google',
  zai: 'zai',
  'openai-compatible': 'openai-compatible', // No vendor: the model's name alone says what it is.
  rehearsal: 'rehearsal',
} as const

/** A vendor's own model, or one that speaks the vendor's wire. 25 us a call, so only for what is not yet known. */
function calc(kind: Provider['kind'], model: string, usage: CallUsage) {
  const counted = {
    input_tokens: usage.inputTokens,
    cache_read_tokens: usage.cachedTokens,
    cache_write_tokens: usage.cacheWriteTokens,
    output_tokens: usage.outputTokens,
  }
  return calcPrice(counted, model, { providerId: listNames[kind] }) ?? calcPrice(counted, model)
}
