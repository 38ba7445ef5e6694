import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BudgetUse } from '../../proxy/api.ts'
import { parseAmount, toAmount, toShares, toWhose } from './budget.ts'

const use = { amount: 200, used: 50, leased: 20 } as BudgetUse

describe('a budget in words', () => {
  test('has its amount in its unit, also below nothing', () => {
    assert.equal(toAmount('usd', 1_500_000_000), '$1.50')
    assert.equal(toAmount('tokens', 12_000), '12k tokens')
    assert.equal(toAmount('requests', -3), '−3 requests')
  })

  for (const [unit, typed, amount] of [
    ['usd', '$2.50', 2_500_000_000],
    ['usd', '1,000', 1_000_000_000_000],
    ['tokens', '1_000_000', 1_000_000],
    ['tokens', '1.5', null],
    ['usd', '-1', null],
    ['usd', '', null],
    ['requests', 'many', null],
  ] as const) {
    test(`takes ${typed || 'nothing'} of ${unit} as ${amount}`, () =>
      assert.equal(parseAmount(unit, typed), amount))
  }

  test('says whose it is', () => {
    assert.equal(toWhose({ level: 'org', subject: null, model: null }), 'the organisation')
    const team = { level: 'team', subject: 'payments', model: 'claude-*' } as const
    assert.equal(toWhose(team), 'team payments, claude-* alone')
  })

  test('fills a bar, and never more than it', () => {
    assert.deepEqual(toShares(use), { used: 25, held: 10 })
    assert.deepEqual(toShares({ ...use, used: 190, leased: 90 }), { used: 95, held: 5 })
    assert.deepEqual(toShares({ ...use, amount: 0, used: 1 }), { used: 100, held: 0 })
  })
})
