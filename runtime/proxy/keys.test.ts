import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Peers } from '#kernel/peers.ts'
import type { KeyCheck } from '../auth/api.ts'
import { createKeys } from './keys.ts'
import { keyCheck } from './testing/stage.ts'

const staleMsMax = 60_000
const { signal } = new AbortController()

function start(listed: KeyCheck[]) {
  const state = { atMs: Date.now(), listed, answerMs: 0, isAway: false }
  const peers = {
    json: async () => {
      if (state.isAway) throw new Error('auth is away')
      state.atMs += state.answerMs
      return state.listed
    },
  } as unknown as Peers
  return { state, keys: createKeys(peers, () => new Date(state.atMs), staleMsMax) }
}

describe('keys', () => {
  test('are good from the first list on, and unknown before', async () => {
    const { keys } = start([keyCheck('trd_a')])
    assert.throws(() => keys.check('trd_a'), { code: 'keys/unknown' })
    await keys.refresh(signal)
    assert.equal(keys.check('trd_a').id, 'key-1')
    assert.throws(() => keys.check('trd_b'), { code: 'credential/refused' })
  })

  test('are refused with the list that has them no more, though they were seen before', async () => {
    const { state, keys } = start([keyCheck('trd_a')])
    await keys.refresh(signal)
    keys.check('trd_a')
    state.listed = []
    await keys.refresh(signal)
    assert.throws(() => keys.check('trd_a'), { code: 'credential/refused' })
  })

  test('end at their time, whatever the list says', async () => {
    const { state, keys } = start([])
    state.listed = [keyCheck('trd_a', { expiresAt: new Date(state.atMs + 10).toISOString() })]
    await keys.refresh(signal)
    keys.check('trd_a')
    state.atMs += 10
    assert.throws(() => keys.check('trd_a'), { code: 'credential/refused' })
  })

  test('are all unknown once the list is too old, counted from when it was asked for', async () => {
    const { state, keys } = start([keyCheck('trd_a')])
    state.answerMs = 5_000
    await keys.refresh(signal)
    state.isAway = true
    await assert.rejects(keys.refresh(signal))
    state.atMs += staleMsMax - 5_000
    keys.check('trd_a')
    state.atMs += 1
    assert.throws(() => keys.check('trd_a'), { code: 'keys/unknown', retryAfterS: 1 })
  })

  test('are found by their id in their own organisation alone', async () => {
    const { keys } = start([keyCheck('trd_a')])
    await keys.refresh(signal)
    assert.equal(keys.find('key-1', 'default')?.id, 'key-1')
    assert.equal(keys.find('key-1', 'other'), undefined)
  })
})
