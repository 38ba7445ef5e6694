import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toLine, toVisible } from './visible.ts'

test('characters that turn, hide or end a line are named, and all others stay', () => {
  assert.equal(
    toVisible('a\u202eb\u200bc\ufeffd\u001b[31m\r'),
    'a‹U+202E›b‹U+200B›c‹U+FEFF›d‹U+001B›[31m‹U+000D›',
  )
  assert.equal(toVisible('tab\tline\nümlaut 漢字 🙂'), 'tab\tline\nümlaut 漢字 🙂')
  assert.equal(toVisible('\u{e0041}'), '‹U+E0041›')
})

test('a text in one line has no breaks in it and an end', () => {
  assert.equal(toLine('  a\n\n b\tc ', 20), 'a b c')
  assert.equal(toLine('x'.repeat(30), 10), `${'x'.repeat(9)}…`)
})
