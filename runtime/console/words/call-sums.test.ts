import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '../../proxy/api.ts'
import { inOrder, sumCalls, toCallMs, toCallSign } from './call-sums.ts'

const call = (over: Partial<Call>): Call => ({
  id: 'c',
  org: 'o',
  loop: 'l',
  pass: 1,
  attempt: 1,
  sandbox: null,
  key: null,
  team: null,
  tags: {},
  endUser: null,
  provider: null,
  model: 'm',
  wire: 'messages',
  isRehearsal: false,
  state: 'settled',
  status: 200,
  usage: {
    inputTokens: 100,
    cachedTokens: 60,
    cacheWriteTokens: 0,
    outputTokens: 7,
    cacheWrite1hTokens: 0,
    reasoningTokens: 0,
    serverToolCalls: {},
  },
  serviceTier: null,
  costNanoUsd: 5,
  isPriced: true,
  stopReason: null,
  toolCalls: 0,
  beganAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:00:01.500Z',
  firstByteMs: 200,
  timing: null,
  error: null,
  ...over,
})

test('calls are summed up, and those without a price are counted', () => {
  const sums = sumCalls([call({}), call({ isPriced: false, costNanoUsd: 0 })])
  assert.deepEqual(sums, {
    calls: 2,
    inputTokens: 200,
    cachedTokens: 120,
    outputTokens: 14,
    costNanoUsd: 5,
    unpriced: 1,
  })
})

test('the sign of a call says refused before error, and error before running', () => {
  const word = (over: Partial<Call>) => toCallSign(call(over)).word
  assert.equal(word({}), 'done')
  assert.equal(word({ state: 'denied', status: 402 }), 'refused')
  assert.equal(word({ status: 529 }), 'error 529')
  assert.equal(word({ state: 'begun', status: null }), 'running')
  assert.equal(word({ state: 'estimated' }), 'estimated')
})

test('calls stand in the order in which they began, and a running one has no length', () => {
  const later = call({ id: 'd', beganAt: '2026-01-01T00:00:05.000Z', endedAt: null })
  assert.deepEqual(
    inOrder([later, call({})]).map(({ id }) => id),
    ['c', 'd'],
  )
  assert.deepEqual([toCallMs(call({})), toCallMs(later)], [1_500, null])
})
