import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPlace, parseRecording, toSize, withoutPauses } from './asciicast.ts'

const text = [
  '{"version":2,"width":100,"height":30,"timestamp":1000}',
  '[5.000, "o", "a"]',
  '[5.500, "r", "80x24"]',
  '[65.000, "o", "b"]',
  '',
].join('\n')

test('a recording begins at its first moment, and knows the time of day of it', () => {
  const recording = parseRecording(text)
  assert.ok(recording)
  assert.equal(recording.startedAt, 1_005_000)
  assert.equal(recording.lengthMs, 60_000)
  assert.deepEqual(
    recording.moments.map(({ ms, kind, text }) => [ms, kind, text]),
    [
      [0, 'output', 'a'],
      [500, 'size', '80x24'],
      [60_000, 'output', 'b'],
    ],
  )
})

test('lines that are none of the format are left out, and a text that is no recording is refused', () => {
  const broken = `${text}[1, "o"\n["x", "o", "c"]\n[6, "i", "typed"]\n[6, "r", "no size"]\n`
  assert.equal(parseRecording(broken)?.moments.length, 3)
  for (const none of ['', 'hello', '{"version":1,"width":1,"height":1}', 'null', '[]']) {
    assert.equal(parseRecording(none), undefined)
  }
})

test('long pauses are shortened to two seconds, and nothing else moves', () => {
  const short = withoutPauses(parseRecording(text)!)
  assert.deepEqual(
    short.moments.map(({ ms }) => ms),
    [0, 500, 2_500],
  )
  assert.equal(short.lengthMs, 2_500)
})

test('a place in time says how many moments are over', () => {
  const recording = parseRecording(text)!
  assert.deepEqual(
    [-1, 0, 499, 500, 59_999, 60_000, 99_999].map((ms) => findPlace(recording, ms)),
    [0, 1, 1, 2, 2, 3, 3],
  )
})

test('a size of a terminal is bounded', () => {
  assert.deepEqual(toSize('65535x0'), { cols: 1_000, rows: 1 })
  assert.equal(toSize('80x'), undefined)
})
