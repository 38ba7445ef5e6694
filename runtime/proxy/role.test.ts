import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { noSettings } from './provider-settings.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
  vaultedKey,
} from './testing/stage.ts'

describe('the proxy', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage

  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider()
    await stage.addProvider({ name: 'other', kind: 'openai', models: ['gpt-x'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
  })

  const body = { model: 'm-1', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
  const answer = {
    type: 'message',
    content: [{ type: 'text', text: 'hello' }],
    stop_reason: 'end_turn',
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 2,
      output_tokens: 3,
    },
  }
  const answerWith = (json: unknown) => {
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json))
  }
  const post = (url: URL, credential: string, sent: unknown = body, path = '/v1/messages') =>
    fetch(new URL(path, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify(sent),
    })

  test('a call goes to the provider with the vaulted key, and its usage is booked', async () => {
    answerWith(answer)
    const response = await post(stage.url, clientKey)
    assert.deepEqual(await response.json(), answer)
    const [seen] = stage.upstream.seen
    assert.equal(seen!.headers['x-api-key'], vaultedKey)
    assert.equal(seen!.headers.authorization, undefined)
    assert.equal(seen!.headers['anthropic-version'], '2023-06-01')
    assert.deepEqual(JSON.parse(seen!.body.toString()), body)
    const usage = await (await stage.admin('GET', '/api/usage')).json()
    assert.deepEqual((usage as { usage: unknown }[])[0]!.usage, {
      inputTokens: 16,
      cachedTokens: 4,
      cacheWriteTokens: 2,
      cacheWrite1hTokens: 0,
      outputTokens: 3,
      reasoningTokens: 0,
      serverToolCalls: {},
    })
  })

  test("a sandbox's record holds its calls at once, with the words of the last", async () => {
    answerWith(answer)
    await using line = await startLine(stage, 'sb-1')
    const token = await stage.deps.tokenFor(sandboxClaims())
    assert.equal((await post(line.url, token)).status, 200)
    const record = await stage.record('sb-1')
    assert.equal(record.calls, 1)
    assert.equal(record.inFlight, 0)
    assert.equal(record.last!.text, 'hello')
    assert.equal(record.last!.state, 'settled')
    assert.equal(record.last!.stopReason, 'end_turn')
    assert.deepEqual(record.usage, {
      inputTokens: 16,
      cachedTokens: 4,
      cacheWriteTokens: 2,
      cacheWrite1hTokens: 0,
      outputTokens: 3,
      reasoningTokens: 0,
      serverToolCalls: {},
    })
  })

  test('the conversation reaches threads once', async () => {
    answerWith(answer)
    stage.peers.turns.length = 0
    await (await post(stage.url, clientKey)).text()
    await until(() => stage.peers.turns.length > 0)
    const [turn] = stage.peers.turns
    assert.equal(turn!.answer.text, 'hello')
    assert.deepEqual(JSON.parse(turn!.request), body)
  })

  describe('providers', () => {
    const list = async () =>
      (
        (await (await stage.admin('GET', '/api/providers')).json()) as {
          items: import('./api.ts').Provider[]
        }
      ).items

    test('a provider is listed without its key, with its last use, and can be removed', async () => {
      answerWith(answer)
      await post(stage.url, clientKey)
      await stage.record('nobody') // Ships what is booked.
      const [vendor] = await list()
      assert.deepEqual(
        { ...vendor, createdAt: '', lastUsedAt: typeof vendor!.lastUsedAt },
        {
          name: 'vendor',
          kind: 'anthropic',
          baseUrl: stage.upstream.url.href.replace(/\/$/, ''),
          allowPrivate: true,
          models: ['m-1'],
          createdAt: '',
          lastUsedAt: 'string',
          ...noSettings,
          warning: null,
        },
      )
      await stage.addProvider({ name: 'brief', models: ['m-brief'] })
      assert.equal((await stage.admin('DELETE', '/api/providers/brief')).status, 204)
      assert.equal((await stage.admin('DELETE', '/api/providers/brief')).status, 404)
      assert.deepEqual(
        (await list()).map(({ name }) => name),
        ['vendor', 'other'],
      )
      assert.equal((await post(stage.url, clientKey, { model: 'm-brief' })).status, 403)
    })

    test('a name can be used once in an organisation', async () => {
      const again = { name: 'vendor', kind: 'openai', key: 'k' }
      assert.equal((await stage.admin('POST', '/api/providers', again)).status, 409)
    })

    test('trying a provider asks for its models with the vaulted key', async () => {
      answerWith({ data: [] })
      const tried = await (await stage.admin('POST', '/api/providers/vendor/test')).json()
      assert.deepEqual(
        { ...(tried as object), latencyMs: 0 },
        { ok: true, status: 200, latencyMs: 0, error: null, call: null, warning: null },
      )
      const seen = stage.upstream.seen.at(-1)!
      assert.deepEqual(
        [seen.method, seen.url, seen.headers['x-api-key']],
        ['GET', '/v1/models', vaultedKey],
      )
    })

    test('trying a provider that is not there says why', async () => {
      await stage.addProvider({ name: 'closed', baseUrl: 'http://127.0.0.1:1', models: [] })
      const response = await stage.admin('POST', '/api/providers/closed/test')
      const tried = (await response.json()) as import('./api.ts').ProviderTest
      assert.deepEqual([tried.ok, tried.status], [false, null])
      assert.match(tried.error!, /ECONNREFUSED/)
      await stage.admin('DELETE', '/api/providers/closed')
    })

    for (const [model, provider, wires] of [
      ['m-1', undefined, ['messages']],
      ['gpt-x', undefined, ['chat', 'responses']],
      ['gpt-x', 'vendor', []],
      ['nobody', undefined, []],
    ] as const) {
      test(`spool learns that ${model} ${provider ? `of ${provider} ` : ''}speaks ${wires.join(', ') || 'nothing'}`, async () => {
        const query = new URLSearchParams({
          org: 'default',
          model,
          ...(provider === undefined ? {} : { provider }),
        })
        const spool = { kind: 'service', sub: 'spool' } as const
        const response = await stage.admin('GET', `/internal/wires?${query}`, undefined, spool)
        assert.deepEqual(await response.json(), { wires })
      })
    }
  })

  test("a loop's usage is the sum over its sandboxes", async () => {
    answerWith(answer)
    for (const sub of ['sum-1', 'sum-2']) {
      await using line = await startLine(stage, sub)
      const token = await stage.deps.tokenFor(sandboxClaims({ sub, loop: 'loop-sum' }))
      await (await post(line.url, token)).text()
    }
    const spool = { kind: 'service', sub: 'spool' } as const
    const path = '/internal/loops/loop-sum/usage'
    const { usage } = (await (await stage.admin('GET', path, undefined, spool)).json()) as {
      usage: unknown
    }
    assert.deepEqual(usage, {
      inputTokens: 32,
      cachedTokens: 8,
      cacheWriteTokens: 4,
      cacheWrite1hTokens: 0,
      outputTokens: 6,
      reasoningTokens: 0,
      serverToolCalls: {},
    })
  })

  test('usage is asked for by days and loop, and nothing else', async () => {
    assert.equal((await stage.admin('GET', '/api/usage?days=0')).status, 400)
    assert.equal((await stage.admin('GET', '/api/usage?since=x')).status, 400)
    const rows = await (await stage.admin('GET', '/api/usage?days=90&loop=loop-sum')).json()
    assert.deepEqual(
      (rows as import('./api.ts').UsageRow[]).map(({ loop, calls }) => [loop, calls]),
      [['loop-sum', 2]],
    )
  })
})
