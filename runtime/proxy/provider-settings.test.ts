import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createLog } from '#kernel/log.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { NewProviderInput, Provider, ProviderTest } from './api.ts'
import { toExpiryWarning } from './provider-settings.ts'
import { clientKey, type Stage, startStage, until, vaultedKey } from './testing/stage.ts'

const dayMs = 86_400_000
const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString()

describe('what stands beside a credential', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  let logged = ''
  before(async () => {
    postgres = owned.use(await startPostgres())
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk
        done()
      },
    })
    stage = owned.use(await startStage({ postgres, log: createLog('warn', sink) }))
  })
  after(() => owned.disposeAsync())
  beforeEach(async () => {
    for (const name of ['vendor', 'open', 'google'])
      await stage.admin('DELETE', `/api/providers/${name}`)
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_request, response) => response.end('{}')
  })

  const list = async () => {
    const response = await stage.admin('GET', '/api/providers')
    return ((await response.json()) as { items: Provider[] }).items
  }
  const change = async (json: object) => {
    const response = await stage.admin('PUT', '/api/providers/vendor', json)
    return { status: response.status, body: (await response.json()) as Provider }
  }
  const tryOut = async (json?: object, name = 'vendor') => {
    const response = await stage.admin('POST', `/api/providers/${name}/test`, json)
    return { status: response.status, body: (await response.json()) as ProviderTest }
  }

  test('it is stored, listed, and changed one by one', async () => {
    const settings = { callsMax: 4, region: 'eu', retention: ['zdr'], expiresAt: inDays(100) }
    await stage.addProvider(settings)
    const [listed] = await list()
    assert.deepEqual({ ...listed, ...settings }, listed)
    const { body } = await change({ region: null, callsMax: 5 })
    assert.deepEqual([body.region, body.callsMax, body.retention], [null, 5, ['zdr']])
    assert.equal(body.expiresAt, settings.expiresAt)
    const shown =
      'name kind baseUrl allowPrivate models createdAt lastUsedAt callsMax region retention proxyUrl ca expiresAt warning'
    for (const one of [listed!, body]) assert.deepEqual(Object.keys(one), shown.split(' '))
  })

  for (const [what, setting] of [
    ['no calls at once', { callsMax: 0 }],
    ['a region in capitals', { region: 'EU' }],
    ['a proxy that is no address', { proxyUrl: 'there' }],
    ['a proxy with a password, which lists would show', { proxyUrl: 'http://a:b@proxy.example' }],
    ['a certificate that is none', { ca: 'trust me' }],
    ['a day that is none', { expiresAt: 'soon' }],
  ] as [string, Partial<NewProviderInput>][]) {
    test(`${what} is refused`, async () => {
      await stage.addProvider()
      assert.equal((await change(setting)).status, 400)
    })
  }

  test('a private proxy needs what a private address needs', async () => {
    await stage.addProvider()
    const proxyUrl = 'http://127.0.0.1:9'
    assert.equal((await change({ proxyUrl })).status, 200)
    await change({ proxyUrl: null })
    const outside = { baseUrl: 'https://api.example.com', key: 'k', allowPrivate: false }
    assert.equal((await change(outside)).status, 200)
    assert.equal((await change({ proxyUrl })).status, 400)
  })

  test('a key that expires soon is warned of in lists and tests, and a new one is not', async () => {
    await stage.addProvider({ expiresAt: inDays(3) })
    assert.equal((await list())[0]!.warning, 'The key expires in 3 days. Rotate it.')
    assert.equal((await tryOut()).body.warning, 'The key expires in 3 days. Rotate it.')
    const { body } = await change({ key: 'sk-new' })
    assert.deepEqual([body.expiresAt, body.warning], [null, null])
  })

  test('a key that expires soon is told in the log as well, from the start on', async () => {
    await stage.addProvider({ expiresAt: inDays(3) })
    const said = '"warning":"The key expires in 3 days. Rotate it."'
    assert.ok(!logged.includes(said))
    await stage.restart()
    await until(() => logged.includes(said))
  })

  test('the days are counted up, and an expired key is said to be', () => {
    const now = new Date('2026-01-01T00:00:00Z')
    const warn = (days: number) => toExpiryWarning(now.getTime() + days * dayMs, now)
    assert.deepEqual([0.5, 14, 14.1, -1].map(warn), [
      'The key expires in 1 day. Rotate it.',
      'The key expires in 14 days. Rotate it.',
      null,
      'The key has expired. Rotate it.',
    ])
  })

  for (const [kind, path, body] of [
    ['anthropic', '/v1/messages', { max_tokens: 1 }],
    ['openai', '/v1/chat/completions', { max_completion_tokens: 16 }],
    ['openai-compatible', '/v1/chat/completions', { max_tokens: 1 }],
    ['gemini', '/v1beta/models/m-1:generateContent', { generationConfig: { maxOutputTokens: 1 } }],
  ] as const) {
    test(`a provider of kind ${kind} is called for as little as it gives`, async () => {
      await stage.addProvider({ kind })
      const { body: found } = await tryOut({ call: true })
      assert.deepEqual(found.call, { ok: true, model: 'm-1', status: 200, error: null })
      const seen = stage.upstream.seen.at(-1)!
      const sent = JSON.parse(seen.body.toString()) as Record<string, unknown>
      assert.equal(seen.url, path)
      for (const [name, value] of Object.entries(body)) assert.deepEqual(sent[name], value)
    })
  }

  test('what the vendor says of a refused call is told, without the key', async () => {
    await stage.addProvider()
    stage.upstream.state.script = (request, response) =>
      request.method === 'GET'
        ? response.end('{}')
        : response.writeHead(400).end(`no credit for ${vaultedKey}`)
    const { body } = await tryOut({ call: true, model: 'm-9' })
    assert.deepEqual([body.ok, body.status], [false, 200])
    const error = 'no credit for [redacted]'
    assert.deepEqual(body.call, { ok: false, model: 'm-9', status: 400, error })
  })

  test('a server without a list of models is good when its call is', async () => {
    await stage.addProvider()
    stage.upstream.state.script = (request, response) =>
      response.writeHead(request.method === 'GET' ? 404 : 200).end('{}')
    assert.deepEqual(
      [(await tryOut()).body.ok, (await tryOut({ call: true })).body.ok],
      [false, true],
    )
  })

  test('a provider without models wants one named, and none of the rehearsal', async () => {
    await stage.addProvider({ models: [] })
    assert.equal((await tryOut({ call: true })).status, 400)
    assert.equal((await tryOut({ call: true, model: 'rehearsal/x' })).status, 400)
  })

  test('with a new master key and the old one beside it all credentials move, and then the old one may go', async () => {
    await stage.addProvider()
    const wrapped = async () =>
      (await postgres.query('select wrapped_key, ciphertext from proxy.providers'))[0]!
    const before = await wrapped()
    const config = stage.config as { masterKeyFile: string; previousMasterKeyFile: string | null }
    const masterKeyFile = join(stage.scratch, 'master-key-2')
    writeFileSync(masterKeyFile, randomBytes(32), { mode: 0o600 })
    Object.assign(config, { masterKeyFile, previousMasterKeyFile: config.masterKeyFile })
    await stage.restart()
    const now = await wrapped()
    assert.notDeepEqual(now.wrapped_key, before.wrapped_key)
    assert.deepEqual(now.ciphertext, before.ciphertext)
    config.previousMasterKeyFile = null
    await stage.restart()
    const call = () =>
      fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers: { 'x-api-key': clientKey },
        body: '{"model":"m-1"}',
      })
    await until(async () => (await call()).status === 200)
    assert.equal(stage.upstream.seen.at(-1)!.headers['x-api-key'], vaultedKey)
  })
})
