import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toMarks } from './marks.ts'

test('found words are cut out of an excerpt, and stray marks vanish', () => {
  assert.deepEqual(toMarks('a \u0002failing\u0003 and \u0002red\u0003'), [
    { text: 'a ', isFound: false },
    { text: 'failing', isFound: true },
    { text: ' and ', isFound: false },
    { text: 'red', isFound: true },
  ])
  assert.deepEqual(toMarks('x\u0003y\u0002z'), [
    { text: 'xy', isFound: false },
    { text: 'z', isFound: true },
  ])
})
