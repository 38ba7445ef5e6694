import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { type ProviderHealth, retryClasses } from './routing/api.ts'
import {
  errorOf,
  type Fork,
  fine,
  json,
  otherKey,
  retry,
  type Script,
  script,
  startFork,
} from './testing/fork.ts'
import { addBudget, readUse } from './testing/quiet.ts'
import { clientKey, type Stage, startUpstream, type Upstream, until } from './testing/stage.ts'

describe('a route', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let fork: Fork
  let stage: Stage
  let second: Upstream
  before(async () => {
    postgres = owned.use(await startPostgres())
    fork = owned.use(await startFork(postgres))
    stage = fork.stage
    second = fork.second
  })
  after(() => owned.disposeAsync())
  beforeEach(() => fork.clear())

  for (const [what, failing] of [
    ['dead-key', json(401, { error: { type: 'authentication_error' } })],
    ['rate-limited', json(429, { error: { type: 'rate_limit_error' } })],
    ['busy', json(429, { error: { code: '1302' } })],
    ['overloaded', json(529, { error: { type: 'overloaded_error' } })],
    ['failed', json(500, 'oops')],
    ['unanswered', (response) => response.socket!.destroy()],
  ] as [(typeof retryClasses)[number], Script][]) {
    test(`a call goes on to the next target after this failure: ${what}`, async () => {
      await fork.addRoute(retry(what))
      script(stage.upstream, failing)
      const response = await fork.call()
      assert.equal(response.status, 200)
      assert.deepEqual(fork.seen(), [1, 1])
      assert.deepEqual(
        [stage.upstream, second].map((upstream) => upstream.seen[0]!.headers['x-api-key']),
        ['sk-a', 'sk-b'],
      )
    })

    test(`without its name in the route the failure is the client's: ${what}`, async () => {
      await fork.addRoute(retry(...retryClasses.filter((one) => one !== what)))
      script(stage.upstream, failing)
      assert.notEqual((await fork.call()).status, 200)
      assert.deepEqual(fork.seen(), [1, 0])
    })
  }

  test('what may have been done is not done again where a budget counts it, and is charged as held', async () => {
    await fork.addRoute(retry(...retryClasses))
    await addBudget(stage, 'requests', 10)
    script(stage.upstream, (response) => response.socket!.destroy())
    assert.equal((await fork.call()).status, 502)
    assert.deepEqual(fork.seen(), [1, 0])
    script(stage.upstream, json(529, 'busy'))
    assert.equal((await fork.call()).status, 200)
    assert.deepEqual(fork.seen(), [2, 1])
    await until(async () => (await readUse(stage, 'requests')).used === 2)
    assert.equal((await stage.admin('DELETE', '/api/budgets/requests')).status, 204)
  })

  test('a target that nobody listens at is passed over', async () => {
    await fork.addRoute(retry('unsent'), {})
    const closed = await startUpstream()
    await closed[Symbol.asyncDispose]()
    const change = { baseUrl: closed.url.href, key: 'sk-a' }
    assert.equal((await stage.admin('PUT', '/api/providers/a', change)).status, 200)
    assert.equal((await fork.call()).status, 200)
    assert.deepEqual(fork.seen(), [0, 1])
  })

  test('when all targets fail, the last answer is the client’s, byte for byte', async () => {
    await fork.addRoute(retry(...retryClasses))
    script(stage.upstream, json(529, 'first'))
    const text = '{"type":"error",  "error":{"type":"rate_limit_error","message":"é"}}'
    const headers = { 'retry-after': '7', 'request-id': 'req_9', 'anthropic-ratelimit-x': '0' }
    script(second, json(429, text, headers))
    const response = await fork.call()
    assert.equal(response.status, 429)
    assert.equal(await response.text(), text)
    for (const [name, value] of Object.entries(headers))
      assert.equal(response.headers.get(name), value)
  })

  test('once a byte of an answer came, nobody else is asked', async () => {
    await fork.addRoute(retry(...retryClasses))
    script(stage.upstream, (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      setTimeout(() => response.socket!.destroy(), 20)
    })
    const response = await fork.call({ stream: true })
    assert.equal(response.status, 200)
    await assert.rejects(response.text())
    assert.deepEqual(fork.seen(), [1, 0])
  })

  test('with every key dead the client is told so by us, and no vendor is asked', async () => {
    await fork.addRoute(retry(...retryClasses))
    for (const upstream of [stage.upstream, second]) script(upstream, json(401, '{}'))
    assert.equal((await fork.call()).status, 401)
    const response = await fork.call()
    assert.equal(response.status, 502)
    assert.match((await errorOf(response)).message, /No credential of the providers/)
    assert.deepEqual(fork.seen(), [1, 1])
    const health = await stage.admin('GET', '/api/providers/a/health')
    const { state, class: found, coolingUntil } = (await health.json()) as ProviderHealth
    assert.deepEqual([state, found], ['cooling', 'dead-key'])
    assert.ok(Date.parse(coolingUntil!) > Date.now())
    await stage.admin('PUT', '/api/providers/a', { key: 'sk-new' })
    script(stage.upstream, fine)
    assert.equal((await fork.call()).status, 200) // A new key starts good.
  })

  test('a credential has as many calls at once as it may have, and the next goes elsewhere', async () => {
    await fork.addRoute({}, { callsMax: 1 })
    const held: ServerResponse[] = []
    script(stage.upstream, (response) => held.push(response))
    const first = fork.call()
    await until(() => held.length === 1)
    assert.equal((await fork.call()).status, 200)
    script(second, (response) => held.push(response))
    const other = fork.call()
    await until(() => held.length === 2)
    const full = await fork.call()
    assert.deepEqual([full.status, full.headers.get('retry-after')], [503, '2'])
    for (const response of held) fine(response)
    assert.deepEqual([(await first).status, (await other).status], [200, 200])
    script(stage.upstream, fine)
    await until(async () => (await fork.call()).status === 200)
  })

  test('an alias stands in place of the model, and the rest of the body as it was', async () => {
    await fork.addRoute({ targets: [{ provider: 'b', model: 'upstream-name' }] })
    await fork.call({ metadata: { note: 'm-1 é' } })
    assert.equal(
      second.seen[0]!.body.toString(),
      '{"model":"upstream-name","metadata":{"note":"m-1 é"}}',
    )
  })

  test('calls of a session stay together, and a tag can choose the route', async () => {
    const targets = [{ provider: 'a' }, { provider: 'b' }]
    const match = { models: ['m-*'], tags: { env: 'prod' } }
    await fork.addRoute({ strategy: 'weighted', targets, match })
    const headers = { 'x-session-id': 'always-the-same', 'x-treadle-tags': 'env=prod' }
    for (let i = 0; i < 6; i += 1) await fork.call({}, '/v1/messages', headers)
    assert.deepEqual(fork.seen().toSorted(), [0, 6])
    const { headers: got } = [...stage.upstream.seen, ...second.seen][0]!
    assert.equal(got['x-treadle-tags'], undefined)
    assert.equal((await fork.call({}, '/v1/messages', { 'x-treadle-tags': 'env' })).status, 400)
    const tagged = {
      match: { models: ['m-*'], tags: { env: 'prod' } },
      targets: [{ provider: 'b' }],
    }
    const put = await stage.admin('PUT', '/api/routes/main', { name: 'main', ...tagged })
    assert.equal(put.status, 200, await put.text())
    for (const upstream of [stage.upstream, second]) upstream.seen.length = 0
    await fork.call({}, '/v1/messages', { 'x-treadle-tags': 'env=prod' })
    assert.deepEqual(fork.seen(), [0, 1])
    await fork.call({}, '/v1/messages', { 'x-treadle-tags': 'env=test' })
    assert.deepEqual(fork.seen(), [1, 1])
  })

  test('a stream that is silent gets pings where the route says so, beside its own bytes', async () => {
    await fork.addRoute({ pingS: 1 }, { kind: 'zai' })
    const [first, last] = ['data: {"n":1}\n\n', 'data: [DONE]\n\n']
    stage.upstream.state.script = ({ body }, response) => {
      const isPlain = body.includes('"plain":true')
      response.writeHead(200, {
        'content-type': isPlain ? 'application/json' : 'text/event-stream',
      })
      response.write(first)
      setTimeout(() => response.end(last), 1_500)
    }
    const texts = await Promise.all(
      [
        fork.call({ stream: true }),
        fork.call({ stream: true }, '/v1/chat/completions'),
        fork.call({ plain: true }),
      ].map(async (call) => (await call).text()),
    )
    assert.deepEqual(texts, [
      `${first}event: ping\ndata: {"type": "ping"}\n\n${last}`,
      `${first}: keep-alive\n\n${last}`,
      `${first}${last}`,
    ])
  })

  describe('stored responses', () => {
    const kind = 'openai' as const
    const ask = (more: object, key = clientKey) =>
      fetch(new URL('/v1/responses', stage.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ model: 'm-1', ...more }),
      })

    test('a conversation goes on where its response is stored, after a restart as well', async () => {
      await fork.addRoute({ strategy: 'weighted' }, { kind })
      const id = `resp_${Date.now()}`
      for (const upstream of [stage.upstream, second])
        script(
          upstream,
          json(200, { id, status: 'completed', usage: { input_tokens: 1, output_tokens: 1 } }),
        )
      assert.equal((await ask({ input: 'hi' })).status, 200)
      const home = stage.upstream.seen.length === 1 ? stage.upstream : second
      for (let i = 0; i < 4; i += 1) {
        await until(async () => (await ask({ previous_response_id: id })).status === 200)
      }
      assert.equal(home.seen.length, 5)
      await until(
        async () => (await postgres.query('select id from proxy.stored_responses')).length > 0,
      )
      await stage.restart()
      await until(async () => (await ask({ previous_response_id: id })).status === 200)
      assert.equal(home.seen.length, 6)
      const foreign = await ask({ previous_response_id: id }, otherKey)
      assert.equal(foreign.status, 404)
    })

    test('a stored response is read and deleted by its own organisation, at the account that has it', async () => {
      const theirs = userClaims({ org: 'elsewhere' })
      const same = { name: 'a', kind, key: 'sk-theirs', baseUrl: second.url.href, models: ['m-1'] }
      await stage.admin('POST', '/api/providers', { ...same, allowPrivate: true }, theirs)
      await fork.addRoute({ targets: [{ provider: 'a' }] }, { kind })
      script(stage.upstream, json(200, { id: 'resp_kept', status: 'completed', usage: {} }))
      assert.equal((await ask({ input: 'hi' })).status, 200)
      const at = (method: string, key = clientKey) =>
        fetch(new URL('/v1/responses/resp_kept', stage.url), {
          method,
          headers: { authorization: `Bearer ${key}` },
        })
      await until(async () => (await at('GET')).status === 200)
      const { method, url, headers } = stage.upstream.seen.at(-1)!
      assert.deepEqual(
        [method, url, headers.authorization],
        ['GET', '/v1/responses/resp_kept', 'Bearer sk-a'],
      )
      assert.equal((await at('GET', otherKey)).status, 404)
      assert.equal((await at('DELETE', otherKey)).status, 404)
      assert.equal((await at('DELETE')).status, 200)
      const sent = stage.upstream.seen.length
      assert.equal((await at('GET')).status, 404)
      assert.deepEqual(fork.seen(), [sent, 0])
      await stage.admin('DELETE', '/api/providers/a', undefined, theirs)
    })

    test('a conversation that the vendor keeps is 404: whose it is can not be told', async () => {
      await fork.addRoute({}, { kind })
      for (const conversation of ['conv_1', { id: 'conv_1' }])
        assert.equal((await ask({ conversation })).status, 404)
      assert.deepEqual(fork.seen(), [0, 0])
    })

    test('an id that nobody knows is 404, and no upstream hears of it', async () => {
      await fork.addRoute({}, { kind })
      assert.equal((await ask({ previous_response_id: 'resp_unknown' })).status, 404)
      assert.deepEqual(fork.seen(), [0, 0])
    })
  })
})
