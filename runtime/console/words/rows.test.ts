import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { planRows, toShow } from './rows.ts'

describe('rows of a long list', () => {
  test('only the rows in sight and a few around them are drawn, however long the list', () => {
    const { first, last } = planRows({ top: 180_000, height: 720 }, 36, 10_000)
    assert.deepEqual({ first, last }, { first: 4_992, last: 5_028 })
  })

  test('the ends of the list are its ends', () => {
    assert.deepEqual(planRows({ top: 0, height: 720 }, 36, 3), { first: 0, last: 3 })
    assert.deepEqual(planRows({ top: 99_999, height: 720 }, 36, 3), { first: 3, last: 3 })
    assert.deepEqual(planRows({ top: 0, height: 720 }, 36, 0), { first: 0, last: 0 })
  })

  test('a row that is chosen by a key is scrolled to only where it is out of sight', () => {
    const seen = { top: 360, height: 360 }
    assert.deepEqual(
      [5, 12, 20].map((row) => toShow(row, seen, 36)),
      [180, 360, 396],
    )
  })
})
