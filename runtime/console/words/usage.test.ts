import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { UsageRow } from '../../proxy/api.ts'
import { sumBy, toDays, toLines, total } from './usage.ts'

const row = (day: string, model: string, cost: number, loop: string | null = null): UsageRow => ({
  ...{
    day,
    model,
    loop,
    provider: 'p',
    team: null,
    user: null,
    key: null,
    endUser: null,
    tag: null,
    isRehearsal: false,
    calls: 1,
    unpricedCalls: 0,
    estimatedCalls: 0,
  },
  usage: {
    inputTokens: 100,
    cachedTokens: 50,
    cacheWriteTokens: 0,
    outputTokens: 10,
    cacheWrite1hTokens: 0,
    reasoningTokens: 0,
    serverToolCalls: {},
  },
  costNanoUsd: cost * 1e9,
})
const now = Date.parse('2026-11-22T23:59:00Z')
const rows = [
  row('2026-11-20', 'a', 1),
  row('2026-11-22', 'b', 5, 'l'),
  row('2026-11-22', 'a', 2),
  row('2026-11-22', 'c', 0.5),
]

describe('usage in the console', () => {
  test('the days of a chart have no gap and end today', () => {
    assert.deepEqual(toDays(3, now), ['2026-11-20', '2026-11-21', '2026-11-22'])
  })

  test('sums are ordered by what they cost, and add up to the total', () => {
    const sums = sumBy(rows, 'model')
    assert.deepEqual(
      sums.map(({ name, costNanoUsd }) => [name, costNanoUsd / 1e9]),
      [
        ['b', 5],
        ['a', 3],
        ['c', 0.5],
      ],
    )
    assert.equal(total(rows).costNanoUsd, 8.5e9)
    assert.deepEqual(
      sumBy(rows, 'loop').map(({ name }) => name),
      ['l', 'no loop'],
    )
  })

  test('a day without a call counts as nothing, and names beyond the most expensive are summed', () => {
    assert.deepEqual(
      toLines(rows, { by: 'model', metric: 'cost', days: toDays(3, now), linesMax: 2 }),
      [
        { name: 'b', values: [0, 0, 5] },
        { name: 'a', values: [1, 0, 2] },
        { name: 'others', values: [0, 0, 0.5] },
      ],
    )
  })
})
