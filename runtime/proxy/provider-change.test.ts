import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createLog } from '#kernel/log.ts'
import { serviceClaims, userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Provider } from './api.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startStage,
  startUpstream,
  type Upstream,
  until,
  vaultedKey,
} from './testing/stage.ts'

const newKey = 'sk-rotated-canary-41c0'

describe('a provider that is changed', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  let other: Upstream
  let logged = ''
  before(async () => {
    postgres = owned.use(await startPostgres())
    other = owned.use(await startUpstream())
    const sink = new Writable({
      write(chunk, _encoding, done) {
        logged += chunk
        done()
      },
    })
    stage = owned.use(await startStage({ postgres, log: createLog('trace', sink) }))
  })
  after(() => owned.disposeAsync())
  beforeEach(async () => {
    for (const name of ['vendor', 'second']) await stage.admin('DELETE', `/api/providers/${name}`)
    await stage.addProvider()
    stage.upstream.state.script = (_request, response) => response.end('{}')
    for (const { seen } of [stage.upstream, other]) seen.length = 0
  })

  const change = (body: unknown, name = 'vendor', claims?: Parameters<Stage['admin']>[3]) =>
    stage.admin('PUT', `/api/providers/${name}`, body, claims)
  const call = (model = 'm-1') =>
    fetch(new URL('/v1/messages', stage.url), {
      method: 'POST',
      headers: { 'x-api-key': clientKey },
      body: JSON.stringify({ model }),
    })
  const keysSeen = (upstream = stage.upstream) =>
    upstream.seen.map(({ headers }) => headers['x-api-key'])

  test('its new key goes out with the next call, and the rest of it stays', async () => {
    await call()
    const response = await change({ key: newKey })
    assert.equal(response.status, 200)
    const provider = (await response.json()) as Provider
    assert.deepEqual(
      [provider.name, provider.models, provider.allowPrivate, provider.baseUrl],
      ['vendor', ['m-1'], true, stage.upstream.url.href.replace(/\/$/, '')],
    )
    await call()
    assert.deepEqual(keysSeen(), [vaultedKey, newKey])
  })

  test('a call in flight ends well with the old key', async () => {
    let answer: ServerResponse | undefined
    stage.upstream.state.script = (_request, response) => {
      answer = response
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"a":1}\n\n')
    }
    const request = httpRequest(new URL('/v1/messages', stage.url), {
      method: 'POST',
      headers: { 'x-api-key': clientKey },
    })
    request.end('{"model":"m-1","stream":true}')
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.equal((await change({ key: newKey })).status, 200)
    stage.upstream.state.script = (_request, later) => later.end('{}')
    assert.equal((await call()).status, 200)
    answer!.end('data: {"b":2}\n\n')
    assert.equal(await text(response), 'data: {"a":1}\n\ndata: {"b":2}\n\n')
    assert.deepEqual(keysSeen(), [vaultedKey, newKey])
  })

  test('no refresh in the background brings an older key back', async () => {
    for (let turn = 0; turn < 25; turn += 1) {
      const key = `sk-turn-${turn}`
      assert.equal((await change({ key })).status, 200)
      await call()
      assert.equal(keysSeen().at(-1), key)
    }
  })

  test('of two changes at once one is last, and calls agree with it', async () => {
    const keys = ['sk-one', 'sk-two', 'sk-three']
    const statuses = await Promise.all(keys.map(async (key) => (await change({ key })).status))
    assert.deepEqual(statuses, [200, 200, 200])
    for (let i = 0; i < 3; i += 1) await call()
    assert.equal(new Set(keysSeen()).size, 1)
    await stage.restart()
    await until(async () => (await call()).status === 200)
    assert.equal(new Set(keysSeen()).size, 1)
  })

  test('its models hold from the next call on', async () => {
    assert.equal((await change({ models: ['m-9'] })).status, 200)
    assert.deepEqual([(await call('m-9')).status, (await call('m-1')).status], [200, 403])
    assert.deepEqual(keysSeen(), [vaultedKey])
  })

  test('it stays in its place before a younger one', async () => {
    await stage.addProvider({ name: 'second', key: 'sk-second' })
    await change({ key: newKey })
    await call()
    assert.deepEqual(keysSeen(), [newKey])
  })

  test('a new address wants the key with it: the stored one goes nowhere else', async () => {
    const refused = await change({ baseUrl: other.url.href })
    assert.equal(refused.status, 400)
    assert.match(await refused.text(), /give the key with it/)
    await call()
    assert.deepEqual([stage.upstream.seen.length, other.seen.length], [1, 0])
    assert.equal((await change({ baseUrl: other.url.href, key: newKey })).status, 200)
    await call()
    assert.deepEqual([stage.upstream.seen.length, keysSeen(other)], [1, [newKey]])
  })

  test('an address of a hundred thousand slashes is refused, and holds nobody up', async () => {
    const began = performance.now()
    const baseUrl = `https://a.example/${'/'.repeat(100_000)}b`
    assert.equal((await change({ baseUrl, key: newKey })).status, 400)
    assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`)
  })

  test('the same address, said otherwise, needs no key', async () => {
    assert.equal((await change({ baseUrl: stage.upstream.url.href })).status, 200)
  })

  for (const [title, body, code] of [
    ['nothing', {}, 'provider/invalid'],
    ['another kind', { kind: 'openai' }, 'provider/invalid'],
    ['another name', { name: 'x', key: 'k' }, 'provider/invalid'],
    ['a key of two lines', { key: `${newKey}\nx` }, 'provider/invalid'],
    ['a key that is no text', { key: [newKey] }, 'provider/invalid'],
    ["rehearsal's models", { models: ['rehearsal/x'] }, 'provider/invalid'],
    ['no private addresses, being at one', { allowPrivate: false }, 'provider/address'],
    ['an address with a password', { baseUrl: 'https://a:b@x.example' }, 'provider/address'],
    [
      'a private address without leave',
      { baseUrl: 'https://127.0.0.1', allowPrivate: false, key: newKey },
      'provider/address',
    ],
  ] as const) {
    test(`a change to ${title} is refused, and nothing changes`, async () => {
      const response = await change(body)
      assert.equal(response.status, 400)
      const answer = await response.text()
      assert.equal((JSON.parse(answer) as { code: string }).code, code)
      assert.doesNotMatch(answer, /canary/)
      await call()
      assert.deepEqual(keysSeen(), [vaultedKey])
    })
  }

  test('a body that is no JSON is refused without repeating it', async () => {
    const response = await fetch(new URL('/api/providers/vendor', stage.adminUrl), {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await stage.deps.tokenFor(userClaims())}`,
        'content-type': 'application/json',
      },
      body: `{"key": "${newKey}`,
    })
    assert.equal(response.status, 400)
    assert.doesNotMatch(await response.text(), /canary/)
  })

  for (const [title, name, claims, status] of [
    ['one that is not there', 'nobody', userClaims(), 404],
    ['rehearsal', 'rehearsal', userClaims(), 404],
    ['one of another organisation', 'vendor', userClaims({ org: 'elsewhere' }), 404],
    ['one as a member', 'vendor', userClaims({ role: 'member', sub: 'm' }), 403],
    ['one as another role', 'vendor', serviceClaims('spool'), 403],
    ['one as a sandbox', 'vendor', sandboxClaims(), 403],
  ] as const) {
    test(`changing ${title} is answered with ${status}`, async () => {
      assert.equal((await change({ key: newKey }, name, claims)).status, status)
      await call()
      assert.deepEqual(keysSeen(), [vaultedKey])
    })
  }

  test('while PostgreSQL is away nothing changes, and calls go on', async () => {
    await postgres.kill()
    assert.ok((await change({ key: newKey })).status >= 500)
    assert.equal((await call()).status, 200)
    assert.deepEqual(keysSeen(), [vaultedKey])
    await postgres.start()
    await until(async () => (await change({ key: newKey })).status === 200, 20_000)
    await call()
    assert.equal(keysSeen().at(-1), newKey)
  })

  test('no key, old or new, stands in a log line, an answer or a table', async () => {
    await change({ key: newKey })
    stage.upstream.state.script = (request, response) =>
      response
        .writeHead(401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { message: `wrong key ${request.headers['x-api-key']}` } }))
    await call()
    const answers = await Promise.all(
      ['/api/providers', '/api/calls', '/api/usage'].map(async (path) =>
        (await stage.admin('GET', path)).text(),
      ),
    )
    const tables = await Promise.all(
      ['calls', 'providers'].map((table) => postgres.query(`select t::text from proxy.${table} t`)),
    )
    const everything = [logged, ...answers, JSON.stringify(tables)].join('\n')
    assert.match(everything, /wrong key \[redacted\]/)
    for (const key of [vaultedKey, newKey]) {
      for (const form of [key, Buffer.from(key).toString('base64').replace(/=+$/, '')])
        assert.ok(!everything.includes(form), form)
    }
  })
})
