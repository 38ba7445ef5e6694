import { type DemoTask, toLoop, toPackage, toPlan } from './demo-task.ts'

const code = String.raw`export const countWords = (text) => text.split(' ').length

export const countLines = (text) => text.split('\n').length

export const findLongest = (text) =>
  text.split(/\s+/).reduce((longest, word) => word, '')`

const tests = String.raw`import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countLines, countWords, findLongest } from './word-count.js'

test('words are counted', () => {
  assert.equal(countWords('one two  three\nfour'), 4)
  assert.equal(countWords(''), 0)
})
test('lines are counted', () => {
  assert.equal(countLines('a\nb\n'), 2)
  assert.equal(countLines('a\nb'), 2)
  assert.equal(countLines(''), 0)
})
test('the longest word is found', () => assert.equal(findLongest('a loom has treadles now'), 'treadles'))`

export const wordCount: DemoTask = {
  files: {
    'package.json': toPackage('word-count'),
    'word-count.js': code,
    'word-count.test.js': tests,
    'PLAN.md': toPlan(
      'count words between any white space',
      'count no line after the last line break',
      'find the longest word, not the last one',
    ),
  },
  loop: toLoop({ name: 'word-count', agent: 'builtin' }),
}
