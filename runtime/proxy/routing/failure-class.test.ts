import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { classify, readRetryAfterMs } from './failure-class.ts'
import { answered } from './testing/plain.ts'

const zai = (code: string) => JSON.stringify({ error: { code, message: 'x' } })
const anthropic = (type: string, message = 'x') =>
  JSON.stringify({ type: 'error', error: { type, message } })
const openai = (code: string) => JSON.stringify({ error: { message: 'x', type: 't', code } })

const table = [
  ['401', 401, '', 'dead-key'],
  ['402', 402, '', 'dead-key'],
  ['403', 403, '', 'dead-key'],
  [
    '403 over a model',
    403,
    anthropic('permission_error', 'no access to this model'),
    'bad-request',
  ],
  ['403 of OpenAI over a model', 403, openai('model_not_found'), 'bad-request'],
  ['429', 429, anthropic('rate_limit_error'), 'rate-limited'],
  ['429 of OpenAI without money', 429, openai('insufficient_quota'), 'dead-key'],
  ['429 of Z.ai without balance', 429, zai('1113'), 'dead-key'],
  ['429 of Z.ai with too many at once', 429, zai('1302'), 'busy'],
  ['429 of Z.ai too often', 429, zai('1303'), 'rate-limited'],
  [
    '400 of Anthropic without credit',
    400,
    anthropic('x', 'Your credit balance is too low'),
    'dead-key',
  ],
  [
    '400 of Google over the key',
    400,
    JSON.stringify([{ error: { details: [{ reason: 'API_KEY_INVALID' }] } }]),
    'dead-key',
  ],
  ['400', 400, anthropic('invalid_request_error'), 'bad-request'],
  ['404', 404, openai('insufficient_quota'), 'bad-request'],
  ['413', 413, '<html>', 'bad-request'],
  ['422', 422, '', 'bad-request'],
  ['500', 500, '', 'failed'],
  ['502', 502, '<html>"', 'failed'],
  ['503', 503, '', 'overloaded'],
  ['529', 529, anthropic('overloaded_error'), 'overloaded'],
  ['a number as code', 429, '{"error":{"code":1302}}', 'busy'],
  ['a code without an envelope', 429, '{"code":"1113"}', 'dead-key'],
  ['null as error', 429, '{"error":null}', 'rate-limited'],
] as const

describe('the class of a failure', () => {
  for (const [what, status, body, expected] of table) {
    test(`${what} counts as ${expected}`, () => {
      assert.equal(classify(answered(status, body)), expected)
    })
  }

  test('a success and a redirect are no failure', () => {
    assert.deepEqual([classify(answered(200)), classify(answered(302))], [null, null])
  })

  test('a connection that failed is told by how far it came', () => {
    const error = new Error('x')
    assert.equal(classify({ kind: 'unsent', error }), 'unsent')
    assert.equal(classify({ kind: 'unanswered', error }), 'unanswered')
  })

  for (const [encoding, encode] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    test(`a body in ${encoding} is read`, () => {
      const failure = answered(429, '', ['Content-Encoding', encoding])
      assert.equal(classify({ ...failure, body: encode(zai('1113')) }), 'dead-key')
      assert.equal(classify({ ...failure, body: Buffer.from('no such thing') }), 'rate-limited')
    })
  }

  test('a body that unpacks to more than an error holds is not read', () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000, ' '))
    const failure = { ...answered(429, '', ['content-encoding', 'gzip']), body: bomb }
    assert.equal(classify(failure), 'rate-limited')
  })

  test('without its body the status decides', () => {
    assert.equal(classify({ ...answered(401), body: null }), 'dead-key')
  })
})

describe('how long an upstream asks to wait', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z')
  for (const [headers, expected] of [
    [[], null],
    [['Retry-After', '7'], 7_000],
    [['retry-after', 'Thu, 01 Jan 2026 00:00:30 GMT'], 30_000],
    [['retry-after', 'Thu, 01 Jan 2025 00:00:30 GMT'], 0],
    [['retry-after', 'soon'], null],
    [['retry-after', '-5'], 0],
    [['retry-after', '2', 'retry-after-ms', '150'], 150],
  ] as const) {
    test(`${headers.join(' ') || 'nothing'} is ${expected} ms`, () => {
      const ms = readRetryAfterMs(answered(429, '', [...headers]), nowMs)
      // A date is read as it stands: `-5` is one to Date.parse, and long ago.
      assert.equal(ms, expected)
    })
  }
})
