import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Provider, Wire } from './api.ts'
import type { Asked, Held } from './intake.ts'
import { type Changes, toOutgoing } from './outgoing.ts'
import type { LiveProvider } from './providers.ts'
import { scan } from './scan.ts'

const none: Changes = { outputTokensMax: null, isUsageWanted: false }
const clientHeaders = ['Accept-Encoding', 'gzip', 'X-Kept', '1']

type Sent = {
  kind?: Provider['kind']
  wire?: Wire
  target?: string
  /** What the target calls the model; `m` = as the client does. */
  model?: string
  isPacked?: boolean
  changes?: Partial<Changes>
}

function send(text: string, sent: Sent = {}) {
  const { kind = 'openai', wire = 'chat', target = '/v1/chat/completions', model = 'm' } = sent
  const named = wire === 'gemini' ? 'm' : null
  const body = Buffer.from(text)
  const scanned = scan(body, { wire, operation: 'generate', model: named })
  const packed = sent.isPacked ? gzipSync(body) : body
  const headers = [...clientHeaders, ...(sent.isPacked ? ['Content-Encoding', 'gzip'] : [])]
  const provider = { kind, prefix: '', vaulted: [] } as unknown as LiveProvider
  const outgoing = toOutgoing(
    { provider, model, weight: 1, order: 0 },
    {
      asked: { exchange: { headers }, target } as unknown as Asked,
      held: { body, packed } as unknown as Held,
      scanned,
      changes: { ...none, ...sent.changes },
    },
  )
  return { ...outgoing, packed, text: outgoing.body.toString() }
}

describe('what goes to a target', () => {
  test('is the very body that came, where nothing has to change', () => {
    const plain = send('{ "model" : "m" }')
    assert.equal(plain.body, plain.packed)
    assert.deepEqual(plain.headers, ['accept-encoding', 'gzip', 'x-kept', '1'])
    const packed = send('{"model":"m"}', { isPacked: true })
    assert.equal(packed.body, packed.packed)
    assert.ok(packed.headers.includes('content-encoding'))
  })

  test('is unpacked where something changes, and says so', () => {
    const { text, headers } = send('{ "model" : "m" , "x":1.0}', { isPacked: true, model: 'n' })
    assert.equal(text, '{ "model" : "n" , "x":1.0}')
    assert.ok(!headers.includes('content-encoding'))
  })

  test('has the target’s name of the model in the path and in the body, and in no other place', () => {
    const target = '/v1beta/models/m:streamGenerateContent?alt=sse'
    const gemini = { kind: 'gemini', wire: 'gemini', target, model: 'n/1' } as const
    const { path, text } = send('{"model":"models/m","contents":"models/m"}', gemini)
    assert.equal(path, '/v1beta/models/n/1:streamGenerateContent?alt=sse')
    assert.equal(text, '{"model":"models/n/1","contents":"models/m"}')
    assert.equal(send('{}', { ...gemini, model: 'm' }).path, target)
  })

  for (const [title, text, sent, expected] of [
    ['in place of its own', '{"model":"m","max_tokens":99}', {}, '{"model":"m","max_tokens":7}'],
    ['beside the rest', '{"model":"m"}', {}, '{"max_completion_tokens":7,"model":"m"}'],
    [
      'by the name that all servers know',
      '{"model":"m"}',
      { kind: 'openai-compatible' },
      '{"max_tokens":7,"model":"m"}',
    ],
  ] as const)
    test(`has a bound of the answer ${title}`, () =>
      assert.equal(send(text, { ...sent, changes: { outputTokensMax: 7 } }).text, expected))

  test('asks for usage in the plain, and no packing of the client’s', () => {
    const changes = { isUsageWanted: true }
    const { text, headers } = send('{"model":"m","stream":true}', { changes })
    assert.equal(text, '{"stream_options":{"include_usage":true},"model":"m","stream":true}')
    assert.deepEqual(headers, ['x-kept', '1', 'accept-encoding', 'identity'])
  })
})
