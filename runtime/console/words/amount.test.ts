import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toAgo, toBytes, toCount, toMoney, toSpan } from './amount.ts'
import { toCsv } from './csv.ts'

describe('amounts in the console', () => {
  test('money below a dollar keeps four digits, and what is not nothing never shows as nothing', () => {
    assert.deepEqual([0, 14_500_000, 50_000, 1_234_500_000, 12_345_678_900_000].map(toMoney), [
      '$0',
      '$0.0145',
      '<$0.0001',
      '$1.23',
      '$12,345.68',
    ])
  })

  test('counts are short from a thousand on', () => {
    assert.deepEqual([0, 999, 9_400, 123_456, 1_200_000].map(toCount), [
      '0',
      '999',
      '9.4k',
      '123k',
      '1.2M',
    ])
  })

  test('spans of time use two units at most', () => {
    assert.deepEqual([340, 4_200, 42_000, 185_000, 7_800_000, 273_600_000].map(toSpan), [
      '340 ms',
      '4.2 s',
      '42 s',
      '3 m 05 s',
      '2 h 10 m',
      '3 d 4 h',
    ])
  })

  test('what is past is told as an age, and what is old as a date', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    assert.deepEqual(
      [
        '2026-11-22T11:59:55Z',
        '2026-11-22T11:56:00Z',
        '2026-11-20T12:00:00Z',
        '2026-01-02T00:00:00Z',
      ].map((at) => toAgo(at, now)),
      ['just now', '4 m ago', '2 d ago', '2026-01-02'],
    )
  })

  test('sizes are in binary units', () => {
    assert.deepEqual([12, 2_048, 3_145_728].map(toBytes), ['12 B', '2.0 KiB', '3.0 MiB'])
  })

  test('a cell that a spreadsheet would run becomes text', () => {
    assert.equal(toCsv([['=1+1', 'a "b", c', 3, null]]), '\'=1+1,"a ""b"", c",3,\r\n')
  })
})
