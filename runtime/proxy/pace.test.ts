import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createBreaker, newPace, takePace } from './pace.ts'

const limit = { callsMax: 100, windowMs: 10_000 }

/** How many of the calls that come `everyMs` are let through. */
function run(everyMs: number, calls: number, pace = newPace(), fromMs = 0): number {
  let taken = 0
  for (let i = 0; i < calls; i += 1) {
    if (takePace(pace, fromMs + i * everyMs, limit)) taken += 1
  }
  return taken
}

describe('the pace of calls', () => {
  for (const [title, everyMs, calls, taken] of [
    ['as many as the bound may come at once, and no more', 0, 150, 100],
    ['a pace at the bound goes on for ever', 100, 10_000, 10_000],
    ['a pace of five times the bound is held to about the bound', 20, 5_000, 1_000],
  ] as const) {
    test(title, () => {
      const found = run(everyMs, calls)
      assert.ok(Math.abs(found - taken) <= taken / 50, String(found))
    })
  }

  test('who was stopped may call again as the window goes on, and anew after two', () => {
    const pace = newPace()
    run(0, 150, pace)
    assert.equal(run(0, 10, pace, 9_999), 0)
    assert.equal(run(0, 150, pace, 15_000), 50)
    assert.equal(run(0, 150, pace, 60_000), 100)
  })

  test('one API key has its own, which is not that of another', () => {
    const breaker = createBreaker({ ...limit, keyCallsMax: 2, retryAfterS: 5 })
    for (const key of ['a', 'a', 'b']) breaker.key(key, 0)
    assert.throws(() => breaker.key('a', 1), { code: 'rate/loop', retryAfterS: 5 })
    breaker.key('b', 1)
  })
})
