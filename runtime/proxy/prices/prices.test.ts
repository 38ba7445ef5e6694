import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
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
  const prices = createPrices([rehearsal], () => new Date('2026-11-22T00:00:00Z'))
  const usage = { inputTokens: 1_000, cachedTokens: 100, cacheWriteTokens: 50, outputTokens: 10 }

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
    const large = { inputTokens: 300_000, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0 }
    assert.equal(prices.costNanoUsd('anthropic', 'claude-sonnet-4-5', large), 300_000 * 6_000)
    assert.equal(
      prices.costNanoUsd('anthropic', 'claude-sonnet-4-5', { ...large, inputTokens: 200_000 }),
      200_000 * 3_000,
    )
  })

  test('a price of the config wins over the list', () => {
    const own = createPrices([free], () => new Date())
    assert.equal(own.costNanoUsd('openai', 'gpt-5', usage), 50 * 3_750)
    assert.equal(own.isPriced('openai', 'gpt-5'), true)
  })
})
