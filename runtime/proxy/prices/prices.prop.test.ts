import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { CallUsage, ServerTool } from '../api.ts'
import type { PriceEntry } from './price-file.ts'
import { readShipped } from './price-source.ts'
import { type Counted, createPrices, type Prices } from './prices.ts'
import { type RateTier, tokensNanoUsd } from './rates.ts'

const now = () => new Date('2026-11-22T00:00:00Z')
const tokens = fc.oneof(fc.nat(300_000), fc.nat(1e9))
const usd = fc.nat(1e9).map((millionths) => millionths / 1e6)
const named = fc.record(
  {
    ...{ input: usd, cached: usd, cacheWrite5m: usd, cacheWrite1h: usd },
    ...{ output: usd, reasoning: usd },
  },
  { requiredKeys: ['input'] },
)
const tools = ['web_search', 'code_execution', 'file_search'] as const
const factor = fc.nat(5_000).map((permille) => permille / 1_000)

const entry: fc.Arbitrary<PriceEntry> = fc.record({
  model: fc.constant('m'),
  rates: fc
    .tuple(named, fc.array(fc.tuple(fc.integer({ min: 1, max: 400_000 }), named), { maxLength: 3 }))
    .map(([base, above]) => ({
      ...base,
      above: above.map(([inputTokens, rates]) => ({ inputTokens, ...rates })),
    })),
  serverTools: fc.dictionary(
    fc.constantFrom(...tools),
    fc.record({ usd: fc.nat(1_000).map((cents) => cents / 100) }),
  ),
  serviceTiers: fc.record({ flex: factor, priority: factor, 'geo-us': factor }),
}) as never

/** Any usage, in which no part is larger than what holds it. */
const usage = fc
  .tuple(
    fc.array(tokens, { minLength: 2, maxLength: 2 }),
    fc.array(fc.nat(1_000), { minLength: 4, maxLength: 4 }),
  )
  .map(([[inputTokens, outputTokens], [read, write, long, thought]]) => {
    const cachedTokens = share(inputTokens!, read!)
    const cacheWriteTokens = share(inputTokens! - cachedTokens, write!)
    return {
      ...{ inputTokens: inputTokens!, cachedTokens, cacheWriteTokens },
      cacheWrite1hTokens: share(cacheWriteTokens, long!),
      outputTokens: outputTokens!,
      reasoningTokens: share(outputTokens!, thought!),
      serverToolCalls: {},
    } satisfies CallUsage
  })
const share = (whole: number, permille: number) => Math.floor((whole * permille) / 1_000)

const pricesOf = (one: PriceEntry): Prices => createPrices({ own: [], shipped: [one], now })

describe('the arithmetic of prices', () => {
  test('a sum is the same as in whole numbers of any size, to the nearest nano-dollar', () => {
    fc.assert(
      fc.property(entry, usage, factor, (one, used, served) => {
        const { tiers } = pricesOf(one).find('openai', 'm')!
        const permille = Math.round(served * 1_000)
        const exact = wholeSum(tiers, used) * BigInt(permille)
        const nearest = (exact + 500_000n) / 1_000_000n
        const most = BigInt(Number.MAX_SAFE_INTEGER)
        const sum = tokensNanoUsd(tiers, used, permille)
        assert.ok(Number.isSafeInteger(sum))
        assert.equal(BigInt(sum), nearest > most ? most : nearest)
      }),
      { numRuns: 2_000, verbose: 1 },
    )
  })

  test('no call within its bound costs more than the bound, whatever it is made of and however it is served', () => {
    const more = fc.record({
      extra: fc.tuple(fc.nat(100_000), fc.nat(100_000)),
      uses: fc.dictionary(fc.constantFrom(...tools), fc.nat(20)),
      served: fc.constantFrom(null, 'flex', 'priority', 'geo-us', 'priority+geo-us', 'default'),
      isAsked: fc.boolean(),
    })
    fc.assert(
      fc.property(entry, usage, more, (one, used, { extra, uses, served, isAsked }) => {
        const prices = pricesOf(one)
        const spent: Counted = { ...used, serverToolCalls: uses, serviceTier: served }
        const bound = prices.boundNanoUsd('openai', 'm', {
          inputTokens: used.inputTokens + extra[0],
          outputTokens: used.outputTokens + extra[1],
          serverTools: uses,
          serviceTier: isAsked ? (served?.split('+')[0] ?? null) : null,
        })
        const { nanoUsd, unpriced } = prices.cost('openai', 'm', spent)!
        if (unpriced.length > 0) assert.equal(bound === null, hasUnpricedTool(one, uses))
        if (bound !== null) assert.ok(nanoUsd <= bound, `${nanoUsd} over ${bound}`)
      }),
      { numRuns: 3_000, verbose: 1 },
    )
  })

  test('of every model that ships or is listed a bound holds as well', () => {
    const prices = createPrices({ own: [], shipped: readShipped(), now })
    const models = fc.constantFrom(
      ...['claude-opus-4-5', 'claude-sonnet-4-5', 'claude-opus-4-6', 'gpt-5', 'gpt-5.5'],
      ...['gemini-2.5-pro', 'glm-4.6', 'o3', 'text-embedding-3-small'],
    )
    fc.assert(
      fc.property(models, usage, (model, used) => {
        const bound = prices.boundNanoUsd('openai', model, used)!
        assert.ok(prices.costNanoUsd('openai', model, used)! <= bound)
      }),
    )
  })
})

const hasUnpricedTool = (one: PriceEntry, uses: Partial<Record<ServerTool, number>>) =>
  Object.keys(uses).some((tool) => !(tool in (one.serverTools ?? {})))

function wholeSum(tiers: readonly RateTier[], used: CallUsage): bigint {
  const { rates } = tiers.findLast(({ above }) => above === 0 || used.inputTokens > above)!
  const parts: [number, number][] = [
    [used.inputTokens - used.cachedTokens - used.cacheWriteTokens, rates.input],
    [used.cachedTokens, rates.cached],
    [used.cacheWriteTokens - used.cacheWrite1hTokens, rates.cacheWrite5m],
    [used.cacheWrite1hTokens, rates.cacheWrite1h],
    [used.outputTokens - used.reasoningTokens, rates.output],
    [used.reasoningTokens, rates.reasoning],
  ]
  return parts.reduce((sum, [amount, rate]) => sum + BigInt(amount) * BigInt(rate), 0n)
}
