// The arithmetic of prices, in whole numbers alone: rates in pico-dollars a token, sums in nano-dollars. What is over the
// whole numbers of a double goes through BigInt, so nothing is ever rounded but the last step.
import type { CallUsage } from '../api.ts'
import type { NamedRates } from './price-file.ts'

/** Pico-dollars a token. */
export type Rates = {
  input: number
  cached: number
  cacheWrite5m: number
  cacheWrite1h: number
  output: number
  reasoning: number
}
/**
 * Rates that hold for a call whose prompt is over so many tokens: for all of its tokens, not for those above alone.
 * Tiers stand in rising order, and the first is above 0: it holds for all that no other one does.
 */
export type RateTier = { above: number; rates: Rates }
export type ToolRate = { nanoUsd: number; usesMax: number | undefined }

export type Counted = Pick<
  CallUsage,
  'inputTokens' | 'cachedTokens' | 'cacheWriteTokens' | 'outputTokens'
> &
  Partial<CallUsage> & { serviceTier?: string | null }

export const picoOf = (usdPerMTok: number) => Math.round(usdPerMTok * 1e6)
export const nanoOf = (usd: number) => Math.round(usd * 1e9)
export const permilleOf = (factor: number) => Math.round(factor * 1_000)

const longPerShort = 1.6 // Anthropic: 2 times the input's price against 1.25 times.

export function toRates(named: NamedRates): Rates {
  const input = picoOf(named.input)
  const short = named.cacheWrite5m === undefined ? input : picoOf(named.cacheWrite5m)
  const output = picoOf(named.output ?? 0)
  return {
    input,
    cached: named.cached === undefined ? input : picoOf(named.cached),
    cacheWrite5m: short,
    cacheWrite1h:
      named.cacheWrite1h === undefined
        ? Math.ceil(short * longPerShort)
        : picoOf(named.cacheWrite1h),
    output,
    reasoning: named.reasoning === undefined ? output : picoOf(named.reasoning),
  }
}

/** Tokens by what they cost. */
type Amounts = { [Name in keyof Rates]: number }

/** What the tokens of a call cost. `permille` is the factor of how it was served. */
export function tokensNanoUsd(tiers: readonly RateTier[], usage: Counted, permille: number) {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens } = usage
  const cacheWrite1h = Math.min(usage.cacheWrite1hTokens ?? 0, cacheWriteTokens)
  const reasoning = Math.min(usage.reasoningTokens ?? 0, outputTokens)
  const amounts = {
    input: Math.max(0, inputTokens - cachedTokens - cacheWriteTokens),
    cached: cachedTokens,
    cacheWrite5m: cacheWriteTokens - cacheWrite1h,
    cacheWrite1h,
    output: outputTokens - reasoning,
    reasoning,
  }
  const rates = ratesFor(tiers, inputTokens)
  const pico = sumPico(amounts, rates)
  if (permille === 1_000 && pico <= Number.MAX_SAFE_INTEGER) {
    const rest = pico % 1_000 // Dividing first could round across a whole number.
    return (pico - rest) / 1_000 + (rest >= 500 ? 1 : 0)
  }
  return toSafe((sumPicoWhole(amounts, rates) * BigInt(permille) + 500_000n) / 1_000_000n)
}

/** The most that so many tokens can cost, whatever part of them is cached, written or thought. */
export function tokensBoundNanoUsd(
  tiers: readonly RateTier[],
  { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number },
  permille: number,
): number {
  let [dearestInput, dearestOutput] = [0, 0]
  for (const { above, rates } of tiers) {
    if (above >= inputTokens && above > 0) continue
    const { input, cached, cacheWrite5m, cacheWrite1h, output, reasoning } = rates
    dearestInput = Math.max(dearestInput, input, cached, cacheWrite5m, cacheWrite1h)
    dearestOutput = Math.max(dearestOutput, output, reasoning)
  }
  const pico = inputTokens * dearestInput + outputTokens * dearestOutput
  if (permille === 1_000 && pico <= Number.MAX_SAFE_INTEGER) {
    const rest = pico % 1_000
    return (pico - rest) / 1_000 + (rest > 0 ? 1 : 0)
  }
  const whole =
    BigInt(inputTokens) * BigInt(dearestInput) + BigInt(outputTokens) * BigInt(dearestOutput)
  return toSafe((whole * BigInt(permille) + 999_999n) / 1_000_000n)
}

/** Exact where it comes out below 2^53: then each of its parts did as well. */
const sumPico = (amounts: Amounts, rates: Rates) =>
  amounts.input * rates.input +
  amounts.cached * rates.cached +
  amounts.cacheWrite5m * rates.cacheWrite5m +
  amounts.cacheWrite1h * rates.cacheWrite1h +
  amounts.output * rates.output +
  amounts.reasoning * rates.reasoning

const names = ['input', 'cached', 'cacheWrite5m', 'cacheWrite1h', 'output', 'reasoning'] as const

const sumPicoWhole = (amounts: Amounts, rates: Rates) =>
  names.reduce((sum, name) => sum + BigInt(amounts[name]) * BigInt(rates[name]), 0n)

const toSafe = (nanoUsd: bigint) =>
  nanoUsd > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nanoUsd)

function ratesFor(tiers: readonly RateTier[], inputTokens: number): Rates {
  let { rates } = tiers[0]!
  for (const tier of tiers) if (inputTokens > tier.above) rates = tier.rates
  return rates
}
