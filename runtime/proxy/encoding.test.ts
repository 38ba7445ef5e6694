import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { decodeBody, readEncoding } from './encoding.ts'

describe('the packing of a body', () => {
  for (const [title, headers, expected] of [
    ['none', ['accept', '*/*'], null],
    ['one that is none', ['Content-Encoding', 'identity'], null],
    ['an empty one', ['content-encoding', ''], null],
    ['one in capitals', ['CONTENT-ENCODING', ' GZip '], 'gzip'],
    ['an old name', ['content-encoding', 'x-gzip'], 'x-gzip'],
    ['one beside none', ['content-encoding', 'identity', 'content-encoding', 'br'], 'br'],
  ] as const)
    test(`${title} is ${expected}`, () => assert.equal(readEncoding(headers), expected))

  for (const [title, headers] of [
    ['an unknown one', ['content-encoding', 'compress']],
    ['one inside another', ['content-encoding', 'gzip, br']],
    ['two in headers of their own', ['content-encoding', 'gzip', 'content-encoding', 'br']],
    ['the same twice', ['content-encoding', 'gzip', 'Content-Encoding', 'gzip']],
    ['a name of every object', ['content-encoding', 'constructor']],
  ] as const)
    test(`${title} is refused`, () =>
      assert.throws(() => readEncoding(headers), { code: 'body/encoded' }))

  test('is undone up to the bound, and not a byte over it', async () => {
    const packed = gzipSync('x'.repeat(1_000))
    assert.equal((await decodeBody(packed, 'gzip', 1_000)).length, 1_000)
    await assert.rejects(decodeBody(packed, 'gzip', 999), { code: 'body/too-large' })
  })
})
