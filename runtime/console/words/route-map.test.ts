import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Route } from '../../proxy/routing/api.ts'
import { toConditions, toCurve, toHabits, toTargets } from './route-map.ts'

const targets: Route['targets'] = [
  { provider: 'backup', weight: 1, order: 2 },
  { provider: 'main', model: 'claude-x', weight: 3, order: 1 },
]

describe('a route as it is drawn', () => {
  test('has its targets in their order, the later ones without a share', () => {
    assert.deepEqual(toTargets({ strategy: 'order', targets }), [
      { provider: 'main', model: 'claude-x', note: 'first', share: 0.5 },
      { provider: 'backup', model: null, note: 'then', share: 0 },
    ])
  })

  test('shows weights as what they come to', () => {
    const drawn = toTargets({ strategy: 'weighted', targets })
    assert.deepEqual(
      drawn.map(({ note, share }) => [note, share]),
      [
        ['25 %', 0.25],
        ['75 %', 0.75],
      ],
    )
  })

  test('says what must hold, and what it does', () => {
    const match = { models: ['claude-*'], stream: true, tags: { tier: 'gold' }, regions: ['eu'] }
    assert.deepEqual(toConditions({ match }), ['streams alone', 'tag tier=gold', 'region eu'])
    const retry = { triesMax: 3, on: ['overloaded' as const] }
    assert.deepEqual(toHabits({ retry, affinity: 'off', pingS: 15 }), [
      'sessions are not kept together',
      'up to 3 tries',
      'a ping after 15 s of silence',
    ])
  })

  test('leads a line from the middle to each row', () => {
    assert.equal(toCurve(0, 1), 'M0 28C50 28 50 28 100 28')
    assert.equal(toCurve(1, 2), 'M0 56C50 56 50 84 100 84')
  })
})
