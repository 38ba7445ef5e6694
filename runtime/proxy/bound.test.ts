import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Operation, Wire } from './api.ts'
import { planBound } from './bound.ts'
import type { Prices } from './prices/prices.ts'
import { scan } from './scan.ts'

const [context, longest] = [200_000, 64_000]
const inputPrice = 3
const outputPrice = 15
const toolPrice = 1_000

/** Two models, of which `dear` costs ten times as much; of `unknown` nothing is known, `unpriced` has no price. */
const prices = {
  limits: (_kind: string, model: string) =>
    model === 'unknown' ? null : { contextTokensMax: context, outputTokensMax: longest },
  boundNanoUsd: (_kind: string, model: string, most: Parameters<Prices['boundNanoUsd']>[2]) => {
    if (model === 'unpriced') return null
    const uses = Object.values(most.serverTools ?? {}).reduce((sum, one) => sum + one, 0)
    const nanoUsd = most.inputTokens * inputPrice + most.outputTokens * outputPrice
    return (nanoUsd + uses * toolPrice) * (model === 'dear' ? 10 : 1)
  },
} as unknown as Prices

type Asked = {
  wire?: Wire
  operation?: Operation
  models?: string[]
  outputTokensMax?: number | null
}

function boundOf(body: object, asked: Asked = {}) {
  const { wire = 'messages', operation = 'generate', models = ['m'] } = asked
  const model = wire === 'gemini' ? 'm' : null
  const bytes = Buffer.from(JSON.stringify({ ...(model === null && { model: 'm' }), ...body }))
  const scanned = scan(bytes, { wire, operation, model })
  const places = models.map((one) => ({ provider: { kind: 'anthropic' as const }, model: one }))
  const { outputTokensMax = null } = asked
  const found = planBound({ scan: scanned, operation, places, outputTokensMax }, prices)
  return { ...found, prompt: bytes.length + 2_048 }
}

const image = { content: [{ type: 'image', source: { type: 'url', url: 'https://a/b' } }] }

describe('the most that a call can come to', () => {
  test('is a token for each byte, what vendors write around it, and what it may say', () => {
    const { wanted, boundOf: most, prompt } = boundOf({ max_tokens: 100, messages: [] })
    assert.deepEqual(wanted, { inputTokens: prompt, outputTokens: 100, outputTokensMin: 0 })
    assert.deepEqual(most(100), {
      nanoUsd: prompt * inputPrice + 100 * outputPrice,
      tokens: prompt + 100,
    })
    assert.equal(most(7).tokens, prompt + 7)
  })

  test('is never more of a prompt than the model takes', () => {
    const { wanted } = boundOf({ messages: [{ role: 'user', content: 'x'.repeat(300_000) }] })
    assert.equal(wanted.inputTokens, context)
  })

  for (const [what, body, asked, expected] of [
    ['no bound', {}, {}, longest],
    ['a bound above what the model says', { max_tokens: longest + 1 }, {}, longest],
    ["a policy's bound below its own", { max_tokens: 100 }, { outputTokensMax: 10 }, 10],
    ["a policy's bound above its own", { max_tokens: 100 }, { outputTokensMax: 1_000 }, 100],
    ["a policy's bound and none of its own", {}, { outputTokensMax: 10 }, 10],
    ['a model that nobody knows', {}, { models: ['unknown'] }, 2_000_000],
    ['two models, of which one is not known', {}, { models: ['m', 'unknown'] }, 2_000_000],
    ['embeddings, which say nothing', {}, { wire: 'chat', operation: 'embed' }, 0],
  ] as const) {
    test(`has an answer of ${expected} with ${what}`, () =>
      assert.equal(boundOf(body, asked as Asked).wanted.outputTokens, expected))
  }

  for (const [what, body, wire] of [
    ['an image from elsewhere', { messages: [{ role: 'user', ...image }] }, 'messages'],
    ['what the vendor stored', { previous_response_id: 'r' }, 'responses'],
    ['a cache of the vendor', { cachedContent: 'c' }, 'gemini'],
  ] as const) {
    test(`has a prompt as large as the context with ${what}`, () =>
      assert.equal(boundOf(body, { wire }).wanted.inputTokens, context))
  }

  test('has the context once more for each use of a tool of the vendor, and the uses', () => {
    const tools = [{ type: 'web_search_20250305', name: 'web_search', max_uses: 3 }]
    const { wanted, boundOf: most } = boundOf({ max_tokens: 10, tools })
    assert.equal(wanted.inputTokens, 4 * context)
    assert.equal(most(10).nanoUsd, 4 * context * inputPrice + 10 * outputPrice + 3 * toolPrice)
  })

  test('has no end with a tool whose uses have none', () => {
    const tools = [{ type: 'web_search_20250305', name: 'web_search' }]
    assert.equal(boundOf({ tools }).wanted.inputTokens, Number.MAX_SAFE_INTEGER)
  })

  test('has as many answers as are asked for', () => {
    const { boundOf: most, prompt } = boundOf({ n: 3, max_tokens: 10 }, { wire: 'chat' })
    assert.equal(most(10).tokens, prompt + 30)
  })

  test('costs what it costs at the dearest of its targets, wherever that stands', () => {
    for (const models of [
      ['m', 'dear'],
      ['dear', 'm'],
    ]) {
      const { boundOf: most, prompt } = boundOf({ max_tokens: 10 }, { models })
      assert.equal(most(10).nanoUsd, 10 * (prompt * inputPrice + 10 * outputPrice))
    }
  })

  test('can not be told in dollars where one of its targets has no price', () => {
    for (const models of [
      ['m', 'unpriced'],
      ['unpriced', 'm'],
    ])
      assert.equal(boundOf({}, { models }).boundOf(1).nanoUsd, null)
  })
})
