import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fuzz, type Reader, readStrictRequest, readStrictResponse } from './testing/fuzz.ts'

const messages = 60_000

/** A reader that mends a message before it reads it, as lax servers do. */
const mending =
  (read: Reader, pattern: RegExp, by: string): Reader =>
  (message) =>
    read(Buffer.from(message.toString('latin1').replace(pattern, by), 'latin1'))

describe('messages made at random', () => {
  for (const kind of ['request', 'response'] as const) {
    test(`a ${kind} that is taken is read by two other parsers in the same way`, () => {
      const { taken, found } = fuzz({ kind, seed: 7, messages })
      assert.equal(found && JSON.stringify([found.by, found.message.toString('latin1')]), null)
      assert.ok(taken > messages / 100)
    })
  }

  for (const [title, pattern, by] of [
    [
      'the second of two lengths overlooked',
      /(content-length: *\d+\r\n(?:.*\r\n)*?)content-length: *\d+\r\n/i,
      '$1',
    ],
    ['a length with a sign', /content-length: \+/i, 'content-length: '],
    ['a blank before a colon', / :/, ':'],
    ['chunks overlooked', /transfer-encoding:[^\r]*\r\n/i, ''],
    ['a coding overlooked', /gzip, /, ''],
    ['a bare line feed', /([^\r])\n/, '$1\r\n'],
    ['a folded line', /\r\n +/, ' '],
    ['two hosts', /host: y\r\n/, ''],
    ['a NUL dropped', /\0/, ''],
    ['another version', /HTTP\/1\.0/, 'HTTP/1.1'],
  ] as const) {
    test(`${title} in a request is found`, () => {
      const strict = mending(readStrictRequest, pattern, by)
      assert.ok(fuzz({ kind: 'request', seed: 7, messages: 200_000, strict }).found)
    })
  }

  for (const [title, pattern, by] of [
    ['a length in hexadecimal', /content-length: 0x/i, 'content-length: '],
    ['a length beside chunks', /content-length: \d\r\n/i, ''],
    ['a size with a sign', /\r\n\+/, '\r\n'],
    ['a bare line feed after a size', /(\r\n\d)\n/, '$1\r\n'],
  ] as const) {
    test(`${title} in an answer is found`, () => {
      const strict = mending(readStrictResponse, pattern, by)
      assert.ok(fuzz({ kind: 'response', seed: 7, messages: 400_000, strict }).found)
    })
  }
})
