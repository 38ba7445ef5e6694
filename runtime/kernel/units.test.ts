import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bytes, Duration, toDurationText, toNanoUsd, toUsdText } from './units.ts'

test('durations and sizes are read as people write them', () => {
  assert.deepEqual(
    ['250ms', '30s', '10m', '2h', '1d'].map((text) => Duration.parse(text)),
    [250, 30_000, 600_000, 7_200_000, 86_400_000],
  )
  assert.deepEqual(
    ['5B', '64KiB', '2GiB'].map((text) => Bytes.parse(text)),
    [5, 65_536, 2 * 1024 ** 3],
  )
})

test('a duration or size without its unit is refused', () => {
  for (const text of ['30', '-1s', '1.5h', '1w', '', 's'])
    assert.equal(Duration.safeParse(text).success, false, text)
  for (const text of ['30', '1kb', '1 GiB'])
    assert.equal(Bytes.safeParse(text).success, false, text)
})

test('money and time read as a person expects', () => {
  assert.equal(toUsdText(toNanoUsd(0.0421)), '$0.0421')
  assert.deepEqual([840, 12_340, 245_000].map(toDurationText), ['840 ms', '12.3 s', '4 m 05 s'])
})
