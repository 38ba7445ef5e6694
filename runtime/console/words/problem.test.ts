import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toPlain } from './problem.ts'

const inWords = (message: string, value?: string) =>
  toPlain({ path: 'name', message, ...(value !== undefined && { value }) }).message

test('a field that was left empty is told as needed, whatever the checker calls it', () => {
  assert.equal(inWords('Invalid input: expected string, received undefined'), 'This is needed.')
  assert.equal(
    inWords('Too small: expected string to have >=1 characters', '""'),
    'This is needed.',
  )
})

test('what was filled in wrongly keeps the reason of its own', () => {
  const reason = 'Use lower-case letters, digits and inner hyphens.'
  assert.equal(inWords(reason, '"Word Count"'), reason)
  assert.equal(inWords('Invalid input: expected number', '"x"'), 'Invalid input: expected number')
  assert.equal(inWords('Unknown key. Remove it.'), 'Unknown key. Remove it.')
})
