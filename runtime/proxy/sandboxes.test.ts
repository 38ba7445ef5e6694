import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSandboxes, sandboxesMax } from './sandboxes.ts'

describe('what is known of a sandbox', () => {
  test('is kept for as many as there may be: the longest idle leave, and none that is in a call', () => {
    const sandboxes = createSandboxes()
    for (let at = 0; at < sandboxesMax; at += 1) sandboxes.get(`sb-${at}`).lastActiveMs = at
    sandboxes.get('sb-0').inFlight = 1
    sandboxes.get('one more')
    const isKnown = (at: number) => sandboxes.find(`sb-${at}`) !== undefined
    assert.deepEqual([0, 1, sandboxesMax - 1].map(isKnown), [true, false, true])
  })
})
