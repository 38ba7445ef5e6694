import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Call } from '../../proxy/api.ts'
import { toSpeed, toTimingParts } from './call-timing.ts'

const call = {
  beganAt: '2026-11-20T10:00:00.000Z',
  endedAt: '2026-11-20T10:00:02.000Z',
  usage: { outputTokens: 101 },
  timing: { intakeMs: 10, sentMs: 20, firstByteMs: 990, lastByteMs: 1_990 },
} as Call
const shape = (call: Call) => toTimingParts(call).map(({ name, ms }) => [name, ms])

describe('where the time of a call went', () => {
  test('has every part of one that was answered, and they are a whole', () => {
    assert.deepEqual(shape(call), [
      ['intake', 10],
      ['sending', 20],
      ['waiting', 970],
      ['answering', 1_000],
    ])
    assert.equal(
      toTimingParts(call).reduce((sum, { share }) => sum + share, 0),
      100,
    )
  })

  test('ends where the call did that never got an answer', () => {
    const timing = { intakeMs: 10, sentMs: 20, firstByteMs: null, lastByteMs: null }
    assert.deepEqual(shape({ ...call, timing }), [
      ['intake', 10],
      ['sending', 20],
      ['waiting', 1_980],
    ])
    assert.deepEqual(shape({ ...call, timing: { ...timing, sentMs: null } }), [
      ['intake', 10],
      ['sending', 2_000],
    ])
  })

  test('is unknown for a call of before it was measured', () => {
    assert.deepEqual(toTimingParts({ ...call, timing: null }), [])
    assert.equal(toSpeed({ ...call, timing: null }), null)
  })

  test('tells how fast tokens came', () => {
    assert.equal(toSpeed(call), 100)
  })
})
