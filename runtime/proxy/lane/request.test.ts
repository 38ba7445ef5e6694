import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headBytesMax, readRequestHead } from './request.ts'

const read = (text: string) => readRequestHead(Buffer.from(text, 'latin1'))
const head = (fields: string, line = 'POST /v1/messages HTTP/1.1') => `${line}\r\n${fields}\r\n`
const host = 'Host: x\r\n'

describe('a head of the fast lane', () => {
  test('is read with its fields as they came, and the length of its body', () => {
    const text = head(`${host}Content-Length: 12\r\nX-A:  b \t\r\nconnection: Keep-Alive\r\n`)
    assert.deepEqual(read(`${text}{}`), {
      ...{ method: 'POST', target: '/v1/messages', length: 12, isClosing: false },
      headers: ['Host', 'x', 'Content-Length', '12', 'X-A', 'b', 'connection', 'Keep-Alive'],
      bytes: text.length,
    })
  })

  test('that ends its connection says so', () =>
    assert.partialDeepStrictEqual(read(head(`${host}Connection: CLOSE\r\n`)), { isClosing: true }))

  for (const [title, text] of [
    ['no host', head('')],
    ['two hosts', head(`${host}host: x\r\n`)],
    ['two lengths', head(`${host}content-length: 1\r\nContent-Length: 1\r\n`)],
    ['a length with a sign', head(`${host}content-length: +1\r\n`)],
    ['a length that is a list', head(`${host}content-length: 1, 1\r\n`)],
    ['a length and chunks', head(`${host}content-length: 1\r\ntransfer-encoding: chunked\r\n`)],
    ['chunks', head(`${host}Transfer-Encoding: chunked\r\n`)],
    ['an expectation', head(`${host}Expect: 100-continue\r\n`)],
    ['an upgrade', head(`${host}Upgrade: h2c\r\n`)],
    ['a trailer', head(`${host}Trailer: x\r\n`)],
    ['a connection that names headers', head(`${host}Connection: close, x-a\r\n`)],
    ['a folded field', head(`${host}x-a: 1\r\n 2\r\n`)],
    ['a space before the colon', head(`${host}x-a : 1\r\n`)],
    ['a bare line feed', head(`${host}x-a: 1\nx-b: 2\r\n`)],
    ['a bare carriage return', head(`${host}x-a: 1\rx-b: 2\r\n`)],
    ['a null', head(`${host}x-a: \0\r\n`)],
    ['another method', head(host, 'PUT /v1/messages HTTP/1.1')],
    ['an older version', head(host, 'POST /v1/messages HTTP/1.0')],
    ['a whole address', head(host, 'POST http://x/v1/messages HTTP/1.1')],
    ['a fragment', head(host, 'POST /v1/messages#a HTTP/1.1')],
    ['two spaces', head(host, 'POST  /v1/messages HTTP/1.1')],
    ['an empty line before it', `\r\n${head(host)}`],
    ['a beginning that is none', 'PUT /'],
    ['a line feed alone, before its end', 'POST / HTTP/1.1\nhost'],
    ['more than a head may have', head(`${host}x-a: ${'a'.repeat(headBytesMax)}\r\n`)],
    ['more than a head may have, without an end', `POST /${'a'.repeat(headBytesMax)}`],
  ] as const)
    test(`with ${title} is the general lane's`, () => assert.equal(read(text), 'general'))

  test('is waited for as long as it may become one', () => {
    const whole = head(`${host}content-length: 1\r\n`)
    for (let at = 0; at < whole.length; at += 1) assert.equal(read(whole.slice(0, at)), 'more')
    assert.partialDeepStrictEqual(read(whole), { length: 1 })
  })
})
