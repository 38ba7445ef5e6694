import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Refusal } from './refusal.ts'
import { assertPace, createSandboxes, sandboxesMax } from './sandboxes.ts'

const pace = { callsMax: 3, windowMs: 1_000, retryAfterS: 7 }

describe('what is known of a sandbox', () => {
  test('tells when its calls come too fast, and forgets those before the window', () => {
    const state = createSandboxes().get('sb-1')
    for (const atMs of [0, 10, 20]) assertPace(state, atMs, pace)
    assert.throws(() => assertPace(state, 999, pace), isTooFast)
    assert.equal(state.lastActiveMs, 20, 'a refused call is none')
    assertPace(state, 1_000, pace)
    assert.throws(() => assertPace(state, 1_009, pace), isTooFast)
    assertPace(state, 9_000, pace)
    assert.deepEqual(state.begins, [9_000])
  })

  test('is kept for as many as there may be: the longest idle leave, and none that is in a call', () => {
    const sandboxes = createSandboxes()
    for (let at = 0; at < sandboxesMax; at += 1) sandboxes.get(`sb-${at}`).lastActiveMs = at
    sandboxes.get('sb-0').inFlight = 1
    sandboxes.get('one more')
    const isKnown = (at: number) => sandboxes.find(`sb-${at}`) !== undefined
    assert.deepEqual([0, 1, sandboxesMax - 1].map(isKnown), [true, false, true])
  })
})

const isTooFast = (error: unknown) =>
  error instanceof Refusal && error.code === 'rate/loop' && /3 calls in 1 s/.test(error.message)
