import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairLines, parsePatch } from './diff-lines.ts'
import { toWordMarks } from './word-marks.ts'

const patch = `@@ -1,4 +1,4 @@ function add
 one
-return a - b
-gone
+return a + b
 two
@@ -20 +20,2 @@
-x
\\ No newline at end of file
+y
+z
`

test('lines of a patch carry their numbers of both sides', () => {
  const [first, second] = parsePatch(patch)
  assert.equal(first?.header, '@@ -1,4 +1,4 @@ function add')
  assert.deepEqual(
    first?.lines.map(({ kind, old, new: at }) => [kind, old, at]),
    [
      ['same', 1, 1],
      ['removed', 2, null],
      ['removed', 3, null],
      ['added', null, 2],
      ['same', 4, 3],
    ],
  )
  assert.deepEqual(second?.lines[1], {
    kind: 'note',
    old: null,
    new: null,
    text: 'No newline at end of file',
  })
})

test('a patch that is empty or cut has no hunks to show', () => {
  assert.deepEqual(parsePatch(''), [])
  assert.deepEqual(parsePatch('+a line before any hunk'), [])
})

test('removed and added lines are paired by their place in the change', () => {
  assert.deepEqual(pairLines(parsePatch(patch)[0]!.lines), [[1, 3]])
})

test('the words that differ are marked on both sides, and the rest of the line is not', () => {
  const marks = toWordMarks(parsePatch(patch)[0]!.lines)
  const marked = (at: number) => marks.get(at)?.filter(({ isMarked }) => isMarked)
  assert.deepEqual(marked(1), [{ text: '-', isMarked: true }])
  assert.deepEqual(marked(3), [{ text: '+', isMarked: true }])
  const whole = (at: number) =>
    marks
      .get(at)
      ?.map(({ text }) => text)
      .join('')
  assert.deepEqual([whole(1), whole(3)], ['return a - b', 'return a + b'])
})

test('lines with little in common, and very long ones, are not marked by words', () => {
  const lines = (before: string, after: string) =>
    parsePatch(`@@ -1 +1 @@\n-${before}\n+${after}\n`)[0]!.lines
  assert.equal(toWordMarks(lines('const a = 1', 'export class Zebra {}')).size, 0)
  assert.equal(toWordMarks(lines('a '.repeat(600), 'b '.repeat(600))).size, 0)
})
