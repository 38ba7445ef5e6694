import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toPlanRows } from './plan-rows.ts'

const step = (pass: number, ...items: string[]) => ({
  pass,
  plan: items.map((item) => ({ text: item.slice(1), isDone: item.startsWith('+') })),
})

test('each box says which pass ticked it', () => {
  const rows = toPlanRows([step(1, '+a', '-b', '-c'), step(2, '+a', '+b', '-c')])
  assert.deepEqual(
    rows.map(({ text, by }) => [text, by]),
    [
      ['a', 1],
      ['b', 2],
      ['c', null],
    ],
  )
})

test('a box that was opened again and ticked again belongs to the later pass', () => {
  const rows = toPlanRows([step(1, '+a'), step(2, '-a'), step(3, '+a')])
  assert.deepEqual(rows, [{ text: 'a', isDone: true, by: 3, isGone: false }])
})

test('an item that a pass took out is kept, with that pass', () => {
  const rows = toPlanRows([step(1, '-a', '-b'), step(2, '-b'), { pass: 3, plan: null }])
  assert.deepEqual(
    rows.map(({ text, isGone, by }) => [text, isGone, by]),
    [
      ['b', false, null],
      ['a', true, 2],
    ],
  )
})

test('the same words twice in a plan are two boxes', () => {
  const rows = toPlanRows([step(1, '+a', '-a'), step(2, '+a', '+a')])
  assert.deepEqual(
    rows.map(({ by }) => by),
    [1, 2],
  )
})
