import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PriceEntry } from './price-file.ts'
import { readShipped } from './price-source.ts'
import { createPrices } from './prices.ts'

describe('prices', () => {
  const rehearsal = {
    model: 'rehearsal/*',
    inputUsdPerMTok: 3,
    cachedUsdPerMTok: 0.3,
    cacheWriteUsdPerMTok: 3.75,
    outputUsdPerMTok: 15,
  }
  const free = {
    ...rehearsal,
    model: 'gpt-5',
    inputUsdPerMTok: 0,
    cachedUsdPerMTok: 0,
    outputUsdPerMTok: 0,
  }
  const prices = createPrices({
    own: [rehearsal],
    shipped: readShipped(),
    now: () => new Date('2026-11-22T00:00:00Z'),
  })
  const usage = { inputTokens: 1_000, cachedTokens: 100, cacheWriteTokens: 50, outputTokens: 10 }

  const large = { inputTokens: 300_000, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0 }

  for (const [title, kind, model, nanoUsd] of [
    [
      'a price of the config',
      'rehearsal',
      'rehearsal/fix',
      850 * 3_000 + 100 * 300 + 50 * 3_750 + 10 * 15_000,
    ],
    [
      'a listed model with cache prices',
      'anthropic',
      'claude-opus-4-5',
      850 * 5_000 + 100 * 500 + 50 * 6_250 + 10 * 25_000,
    ],
    [
      'a listed model without a price for cache writes',
      'openai',
      'gpt-5',
      900 * 1_250 + 100 * 125 + 10 * 10_000,
    ],
    ['a listed model of Google', 'gemini', 'gemini-2.5-pro', 900 * 1_250 + 100 * 125 + 10 * 10_000],
    ['an unknown model', 'openai', 'nobody-knows-it', null],
    ['an unknown rehearsal model without a pattern', 'rehearsal', 'something', null],
  ] as const) {
    test(`${title} is counted in whole nano-dollars`, () => {
      assert.equal(prices.costNanoUsd(kind, model, usage), nanoUsd)
      assert.equal(prices.isPriced(kind, model), nanoUsd !== null)
    })
  }

  test('a dearer tier holds above its threshold', () => {
    assert.equal(prices.costNanoUsd('anthropic', 'claude-sonnet-4-5', large), 300_000 * 6_000)
    assert.equal(
      prices.costNanoUsd('anthropic', 'claude-sonnet-4-5', { ...large, inputTokens: 200_000 }),
      200_000 * 3_000,
    )
  })

  test('a price of the config wins over the list', () => {
    const own = createPrices({ own: [free], shipped: [], now: () => new Date() })
    assert.equal(own.costNanoUsd('openai', 'gpt-5', usage), 50 * 3_750)
    assert.equal(own.isPriced('openai', 'gpt-5'), true)
  })

  const now = () => new Date('2026-11-22T00:00:00Z')
  const pricesOf = (models: PriceEntry[], at = now) =>
    createPrices({ own: [], shipped: models, now: at })

  test('the closest name wins, and then what began last', () => {
    const made = pricesOf([
      { model: 'm-*', rates: { input: 1 } },
      { model: 'm-1', rates: { input: 2 } },
      { model: 'm-1', from: '2026-06-01', rates: { input: 3 } },
      { model: 'm-1', from: '2027-01-01', rates: { input: 4 } },
      { model: 'm-1*', rates: { input: 5 } },
    ])
    const per = (model: string) => made.costNanoUsd('openai', model, large)! / large.inputTokens
    assert.deepEqual([per('m-1'), per('m-2'), per('m-12')], [3_000, 1_000, 5_000])
  })

  test('a price holds from its day on', () => {
    let at = new Date('2026-12-31T23:59:59Z')
    const made = pricesOf(
      [
        { model: 'm', rates: { input: 1 } },
        { model: 'm', from: '2027-01-01', rates: { input: 2 } },
      ],
      () => at,
    )
    assert.equal(made.costNanoUsd('openai', 'm', large), large.inputTokens * 1_000)
    at = new Date('2027-01-01T01:00:00Z')
    assert.equal(made.costNanoUsd('openai', 'm', large), large.inputTokens * 2_000)
  })

  test('writes that last an hour cost more, by the list and by rule', () => {
    const written = { ...large, cacheWriteTokens: 1_000, cacheWrite1hTokens: 400 }
    assert.equal(
      prices.costNanoUsd('anthropic', 'claude-opus-4-5', { ...written, inputTokens: 1_000 }),
      600 * 6_250 + 400 * 10_000,
    )
    assert.equal(
      prices.costNanoUsd('rehearsal', 'rehearsal/x', { ...written, inputTokens: 1_000 }),
      600 * 3_750 + 400 * 6_000,
    )
  })

  test('a tool of the vendor is charged by its use, and one without a price is said', () => {
    const searched = { ...usage, serverToolCalls: { web_search: 3, advisor: 1 } }
    const plain = prices.costNanoUsd('anthropic', 'claude-opus-4-5', usage)!
    assert.deepEqual(prices.cost('anthropic', 'claude-opus-4-5', searched), {
      nanoUsd: plain + 3 * 10_000_000,
      unpriced: ['advisor'],
    })
    const grounded = { ...usage, serverToolCalls: { web_search: 3 } }
    const once = prices.costNanoUsd('gemini', 'gemini-2.5-pro', usage)! + 35_000_000
    assert.equal(prices.costNanoUsd('gemini', 'gemini-2.5-pro', grounded), once)
  })

  test('how a call was served changes the price, or is said to have none', () => {
    const plain = prices.costNanoUsd('openai', 'gpt-5', usage)!
    const served = (serviceTier: string) =>
      prices.cost('openai', 'gpt-5', { ...usage, serviceTier })
    assert.deepEqual(served('flex'), { nanoUsd: plain / 2, unpriced: [] })
    assert.deepEqual(served('priority'), { nanoUsd: plain * 2, unpriced: [] })
    assert.deepEqual(served('scale'), { nanoUsd: plain, unpriced: ['tier:scale'] })
  })

  test('a bound is for the dearest way, and there is none for a tool without a price', () => {
    const bound = { inputTokens: 1_000, outputTokens: 100 }
    assert.equal(
      prices.boundNanoUsd('anthropic', 'claude-opus-4-5', bound),
      13_750_000, // All written for an hour, and served in one place: 1.1 times 1,000 at 10 and 100 at 25 dollars.
    )
    const tools = { ...bound, serverTools: { advisor: 1 } }
    assert.equal(prices.boundNanoUsd('anthropic', 'claude-opus-4-5', tools), null)
    assert.equal(prices.boundNanoUsd('openai', 'nobody-knows-it', bound), null)
  })

  for (const [kind, model, contextTokensMax, outputTokensMax] of [
    ['anthropic', 'claude-opus-4-5-20251101', 200_000, 64_000],
    ['anthropic', 'claude-sonnet-4-5', 1_000_000, 64_000],
    ['anthropic', 'claude-not-yet-known', 1_000_000, 128_000],
    ['openai', 'gpt-5.1-codex', 400_000, 128_000],
    ['openai', 'gpt-5.5', 1_050_000, 128_000],
    ['openai', 'glm-4.6', 200_000, 131_072],
    ['gemini', 'gemini-2.5-pro', 1_048_576, 65_536],
    ['openai', 'deepseek-chat', null, null],
  ] as const) {
    test(`${model} has its limits`, () => {
      const found = prices.limits(kind, model)
      if (contextTokensMax === null) assert.equal(found!.outputTokensMax, found!.contextTokensMax)
      else assert.deepEqual(found, { contextTokensMax, outputTokensMax })
    })
  }

  test('of a model that nobody knows there are no limits', () => {
    assert.equal(prices.limits('openai', 'nobody-knows-it'), null)
  })

  test('a listed model without a price for text is unpriced, and never free', () => {
    assert.equal(prices.isPriced('openai', 'whisper-1'), false)
    assert.equal(prices.costNanoUsd('gemini', 'gemma-3', usage), null)
  })

  test('no answer that ships as possible is longer than what holds it', () => {
    for (const entry of readShipped()) {
      if (entry.contextTokensMax === undefined || entry.outputTokensMax === undefined) continue
      assert.ok(entry.outputTokensMax <= entry.contextTokensMax, entry.model)
    }
  })
})
