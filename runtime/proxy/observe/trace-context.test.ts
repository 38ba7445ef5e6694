import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTraceId, isInSample, parseTraceparent, readTraceparent } from './trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

describe('a traceparent', () => {
  const valid: Record<string, boolean> = {
    [`00-${traceId}-${spanId}-01`]: true,
    [`00-${traceId}-${spanId}-00`]: false,
    [`00-${traceId}-${spanId}-ff`]: true,
    [`cc-${traceId}-${spanId}-01-what-a-later-version-adds`]: true,
  }
  for (const [text, isSampled] of Object.entries(valid)) {
    test(`is continued: ${text}`, () => {
      assert.deepEqual(parseTraceparent(text), { traceId, spanId, isSampled })
    })
  }

  for (const text of [
    '',
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-1`,
    ` 00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
  ]) {
    test(`is none: "${text}"`, () => assert.equal(parseTraceparent(text), null))
  }

  test('that comes twice is none', () => {
    const one = ['TraceParent', `00-${traceId}-${spanId}-01`]
    assert.equal(readTraceparent(['accept', 'traceparent', ...one])?.traceId, traceId)
    assert.equal(readTraceparent([...one, ...one]), null)
  })

  test('of our own is in the sample as often as the ratio says', () => {
    const ids = Array.from({ length: 2_000 }, createTraceId)
    const share = (ratio: number) => ids.filter((id) => isInSample(id, ratio)).length / ids.length
    assert.deepEqual([share(0), share(1)], [0, 1])
    assert.ok(Math.abs(share(0.25) - 0.25) < 0.08, `${share(0.25)}`)
  })
})
