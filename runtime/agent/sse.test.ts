import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createSseReader } from './sse.ts'

const stream = Buffer.from(
  'event: a\ndata: {"text":"é 😀"}\n\n: a comment\r\ndata: one\r\ndata:two\r\n\r\nevent: no data\n\ndata: cr\r\rdata: last\n\n',
)
const expected = ['{"text":"é 😀"}', 'one\ntwo', 'cr', 'last']

describe('the event reader', () => {
  test('gives the same events however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
        const reader = createSseReader(1_000)
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length]
        const events = at.slice(1).flatMap((end, i) => reader.push(stream.subarray(at[i], end)))
        assert.deepEqual(events, expected)
      }),
    )
  })

  test('gives the same events byte by byte', () => {
    const reader = createSseReader(1_000)
    assert.deepEqual(
      [...stream].flatMap((byte) => reader.push(Uint8Array.of(byte))),
      expected,
    )
  })

  test('gives nothing for an event that has not ended', () => {
    assert.deepEqual(createSseReader(1_000).push(Buffer.from('data: half\n')), [])
  })

  test('refuses a line without end', () => {
    assert.throws(
      () => createSseReader(10).push(Buffer.from(`data: ${'x'.repeat(11)}`)),
      /too long/,
    )
  })
})
