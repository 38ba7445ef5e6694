import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Exchange } from './exchange.ts'
import {
  assertFraming,
  headersFor,
  toClientHeaders,
  toUpstreamHeaders,
  vaultedHeaders,
} from './headers.ts'

// Written down here once more: a name that goes missing from the lists must be missed.
const hopByHop = [
  ...['Connection', 'Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Connection'],
  ...['TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings'],
]
const credentials = ['Authorization', 'X-Api-Key', 'Api-Key', 'X-Goog-Api-Key', 'Cookie']
const places = [
  ...['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Anything', 'Via'],
  ...['X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'CF-Connecting-IP'],
]
const ours = ['X-Treadle-Org', 'X-Treadle-Tags', 'X-Treadle-End-User']
const rest = ['Host', 'Expect', 'Content-Length', 'X-Goog-FieldMask', 'X-HTTP-Method-Override']

describe('headers', () => {
  for (const name of [...hopByHop, ...credentials, ...places, ...ours, ...rest])
    test(`${name} does not go upstream, however it is written`, () => {
      for (const one of [name, name.toLowerCase(), name.toUpperCase()])
        assert.deepEqual(toUpstreamHeaders([one, 'v', 'X-Kept', 'é'], []), ['x-kept', 'é'])
    })

  for (const name of [...hopByHop, 'Set-Cookie', 'Set-Cookie2'])
    test(`${name} does not come back, however it is written`, () => {
      for (const one of [name, name.toLowerCase(), name.toUpperCase()])
        assert.deepEqual(toClientHeaders([one, 'v', 'X-Kept', 'é']), ['X-Kept', 'é'])
    })

  test('what Connection names stays here, both ways, in each of its lines', () => {
    const pairs = ['Connection', 'close, X-One', 'connection', ' x-TWO', 'X-One', '1', 'x-two', '2']
    assert.deepEqual(toUpstreamHeaders([...pairs, 'x-kept', '3'], []), ['x-kept', '3'])
    assert.deepEqual(toClientHeaders([...pairs, 'x-kept', '3']), ['x-kept', '3'])
  })

  test('each kind of provider has its key where its vendor looks for it, and none of the client', () => {
    const name = { anthropic: 'x-api-key', gemini: 'x-goog-api-key', openai: 'authorization' }
    for (const kind of ['anthropic', 'gemini', 'openai'] as const) {
      const vaulted = vaultedHeaders(kind, 'vaulted')
      const sent = headersFor(
        { kind, vaulted },
        credentials.flatMap((one) => [one, 'theirs']),
      )
      assert.deepEqual(sent.slice(0, 2), [
        name[kind],
        kind === 'openai' ? 'Bearer vaulted' : 'vaulted',
      ])
      assert.ok(!sent.includes('theirs'))
    }
  })

  for (const [title, version, headers, code] of [
    ['a plain request', '1.1', ['Host', 'x'], null],
    ['chunks', '1.1', ['Host', 'x', 'Transfer-Encoding', 'Chunked'], null],
    ['HTTP/1.0', '1.0', ['Host', 'x'], 'version/refused'],
    ['two hosts', '1.1', ['Host', 'x', 'hOST', 'x'], 'headers/refused'],
    ['another coding', '1.1', ['Host', 'x', 'transfer-encoding', 'gzip'], 'headers/refused'],
    ['two codings', '1.1', ['Host', 'x', 'transfer-encoding', 'gzip, chunked'], 'headers/refused'],
  ] as const)
    test(`${title}: ${code ?? 'good'} as a frame`, () => {
      const check = () => assertFraming({ version, headers } as unknown as Exchange)
      if (code === null) check()
      else assert.throws(check, { code })
    })
})
