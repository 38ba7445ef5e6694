import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Peers } from '#kernel/peers.ts'
import type { KeyCheck } from '../auth/api.ts'
import { createKeys } from './keys.ts'
import { keyCheck } from './testing/stage.ts'

const { signal } = new AbortController()

function start(listed: KeyCheck[], staleMsMax = 600_000) {
  const state = { aheadMs: 0, listed, answerMs: 0 }
  const peers = {
    json: async () => {
      if (state.answerMs > 0) await sleep(state.answerMs)
      return state.listed
    },
  } as unknown as Peers
  return { state, keys: createKeys(peers, () => new Date(Date.now() + state.aheadMs), staleMsMax) }
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
    state.listed = [keyCheck('trd_a', { expiresAt: new Date(Date.now() + 60_000).toISOString() })]
    await keys.refresh(signal)
    keys.check('trd_a')
    state.aheadMs = 60_000
    assert.throws(() => keys.check('trd_a'), { code: 'credential/refused' })
  })

  test('are all unknown once the list is too old, counted from when it was asked for', async () => {
    const { state, keys } = start([keyCheck('trd_a')], 100)
    await keys.refresh(signal)
    keys.check('trd_a')
    await sleep(110)
    assert.throws(() => keys.check('trd_a'), { code: 'keys/unknown', retryAfterS: 1 })
    state.answerMs = 110
    await keys.refresh(signal)
    assert.throws(() => keys.check('trd_a'), { code: 'keys/unknown' })
  })

  test('are found by their id in their own organisation alone', async () => {
    const { keys } = start([keyCheck('trd_a')])
    await keys.refresh(signal)
    assert.equal(keys.find('key-1', 'default')?.id, 'key-1')
    assert.equal(keys.find('key-1', 'other'), undefined)
  })
})
