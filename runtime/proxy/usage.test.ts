import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import type { Call, PriceCheck, PriceRow, UsageRow } from './api.ts'
import { upsertCalls } from './sql/calls.ts'
import { clientKey, keyCheck, type Stage, startStage, until } from './testing/stage.ts'
import { sse, start, text, usage } from './wires/testing.ts'

const model = 'claude-opus-4-5'
const otherKey = 'trd_other-key'

describe('usage and what it costs', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ models: [model, 'nobody-prices-it'] })
    await stage.addProvider({ name: 'chat', kind: 'openai', models: ['gpt-5'] })
    stage.peers.keys.push(keyCheck(otherKey, { id: 'key-2', user: 'ann', team: 'search' }))
    const headers = { 'x-api-key': otherKey }
    await until(async () => (await fetch(new URL('/v1/models', stage.url), { headers })).ok)
  })
  after(() => owned.disposeAsync())

  const answerWith = (body: string | object, type = 'application/json') => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, { 'content-type': type })
        .end(typeof body === 'string' ? body : JSON.stringify(body))
  }
  const ask = async (
    sent: object,
    path = '/v1/messages',
    key = clientKey,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(sent),
    })
    await response.text()
  }
  const read = async <T>(path: string) => (await (await stage.admin('GET', path)).json()) as T
  const lastCall = async (of: string) =>
    (await read<{ items: Call[] }>(`/api/calls?model=${of}&limit=1`)).items[0]!

  test('an hour’s writes, thoughts and searches are booked, shown and charged', async () => {
    answerWith({
      content: [],
      stop_reason: 'end_turn',
      usage: {
        ...{ input_tokens: 10, output_tokens: 50, cache_creation_input_tokens: 30 },
        cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
        output_tokens_details: { thinking_tokens: 40 },
        server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 },
      },
    })
    await ask({ model })
    const { usage: found, costNanoUsd, isPriced } = await lastCall(model)
    assert.deepEqual(
      found,
      usage(40, 0, 30, 50, {
        ...{ cacheWrite1hTokens: 20, reasoningTokens: 40 },
        serverToolCalls: { web_search: 2, web_fetch: 1 },
      }),
    )
    const tokens = 10 * 5_000 + 10 * 6_250 + 20 * 10_000 + 50 * 25_000
    assert.deepEqual([costNanoUsd, isPriced], [tokens + 2 * 10_000_000, true])
  })

  test('a way of serving without a price is counted, and says that a part has none', async () => {
    answerWith({
      content: [],
      usage: { input_tokens: 10, output_tokens: 1, service_tier: 'priority' },
    })
    await ask({ model })
    const { serviceTier, costNanoUsd, isPriced } = await lastCall(model)
    assert.deepEqual([serviceTier, costNanoUsd, isPriced], ['priority', 75_000, false])
  })

  test('a way of serving with a price is charged by it', async () => {
    answerWith({
      choices: [{ message: { content: 'a' } }],
      service_tier: 'flex',
      usage: { prompt_tokens: 1_000, completion_tokens: 10, total_tokens: 1_010 },
    })
    await ask({ model: 'gpt-5' }, '/v1/chat/completions')
    const { serviceTier, costNanoUsd, isPriced } = await lastCall('gpt-5')
    const plain = 1_000 * 1_250 + 10 * 10_000
    assert.deepEqual([serviceTier, costNanoUsd, isPriced], ['flex', plain / 2, true])
  })

  test('a stream without its end books its prompt and what was said, as an estimate', async () => {
    const events = [start({ input_tokens: 100, output_tokens: 1 }), text('x'.repeat(400))]
    answerWith(sse(events), 'text/event-stream')
    await ask({ model, stream: true })
    const { state, usage: found } = await lastCall(model)
    assert.deepEqual([state, found], ['estimated', usage(100, 0, 0, 100)])
  })

  test('a refusal that comes with status 200 costs nothing', async () => {
    answerWith({ code: 1113, msg: 'Insufficient balance', success: false })
    await ask({ model })
    const { state, usage: found, error } = await lastCall(model)
    assert.deepEqual([state, found, error], ['settled', usage(0, 0, 0, 0), 'Insufficient balance'])
  })

  test('a model without a price is counted, and unpriced', async () => {
    answerWith({ content: [], usage: { input_tokens: 7, output_tokens: 8 } })
    await ask({ model: 'nobody-prices-it' }, '/v1/messages', otherKey)
    const { usage: found, costNanoUsd, isPriced } = await lastCall('nobody-prices-it')
    assert.deepEqual([found, costNanoUsd, isPriced], [usage(7, 0, 0, 8), 0, false])
  })

  test('sums are told apart by who asked, where one wants that', async () => {
    const rows = await read<UsageRow[]>('/api/usage?by=user,key&model=nobody-prices-it')
    assert.deepEqual(
      rows.map(({ user, key, team, calls, unpricedCalls }) => [
        user,
        key,
        team,
        calls,
        unpricedCalls,
      ]),
      [['ann', 'key-2', null, 1, 1]],
    )
    const [row] = await read<UsageRow[]>(`/api/usage?model=${model}`)
    assert.deepEqual([row!.user, row!.key, row!.calls], [null, null, 4])
    assert.deepEqual(row!.usage.serverToolCalls, { web_search: 2, web_fetch: 1 })
    assert.equal((await read<UsageRow[]>('/api/usage?key=key-2')).length, 1)
    assert.equal((await read<UsageRow[]>('/api/usage?user=nobody')).length, 0)
  })

  describe('by what callers say of their calls', () => {
    const said = { model: 'said', messages: [] }
    const tagsOf = ({ tags, endUser, team }: Call) => [tags, endUser, team]
    before(async () => {
      await stage.addProvider({ name: 'said', models: ['said', 'denied'] })
      answerWith({ content: [], usage: { input_tokens: 7, output_tokens: 8 } })
      const path = '/v1/messages'
      await ask(said, path)
      const prod = { 'x-treadle-tags': 'env=prod, job=a b', 'x-treadle-end-user': 'Zo\u00c3\u00ab' }
      await ask(said, path, otherKey, prod)
      await ask({ ...said, metadata: { user_id: 'u-2\0' } }, path, otherKey, {
        'x-treadle-tags': 'env=dev',
      })
    })

    test('a call has its tags, its end user and its team, within bounds', async () => {
      const { items } = await read<{ items: Call[] }>('/api/calls?model=said')
      assert.deepEqual(items.map(tagsOf), [
        [{ env: 'dev' }, 'u-2\ufffd', 'search'],
        [{ env: 'prod', job: 'a b' }, 'Zo\u00eb', 'search'],
        [{}, null, null],
      ])
      const long = 'x'.repeat(5_000)
      await ask({ ...said, metadata: { user_id: long } })
      assert.equal((await lastCall('said')).endUser!.length, 200)
      const response = await fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers: { 'x-api-key': clientKey, 'x-treadle-tags': `env=${long}` },
        body: JSON.stringify(said),
      })
      assert.equal(response.status, 400)
    })

    test('a call that was denied has them as well', async () => {
      const policy = { models: { deny: ['denied'] }, tools: {}, serverTools: {} }
      await stage.admin('PUT', '/api/policies/org', policy)
      await ask({ model: 'denied' }, '/v1/messages', otherKey, { 'x-treadle-tags': 'env=prod' })
      await stage.admin('DELETE', '/api/policies/org')
      const denied = await lastCall('denied')
      assert.equal(denied.state, 'denied')
      assert.deepEqual(tagsOf(denied), [{ env: 'prod' }, null, 'search'])
    })

    for (const [query, calls] of [
      ['tag=env%3Dprod', 1],
      ['tag=job%3Da%20b', 1],
      ['tag=env%3Dnone', 0],
      ['endUser=Zo%C3%AB', 1],
      ['team=search', 2],
      ['team=search&tag=env%3Ddev', 1],
    ] as const) {
      test(`calls and sums of ${query} are ${calls}`, async () => {
        const { items } = await read<{ items: Call[] }>(`/api/calls?model=said&${query}`)
        assert.equal(items.length, calls)
        const rows = await read<UsageRow[]>(`/api/usage?model=said&${query}`)
        assert.equal(
          rows.reduce((sum, row) => sum + row.calls, 0),
          calls,
        )
      })
    }

    test('sums are told apart by team, end user and the values of a tag', async () => {
      const rows = await read<UsageRow[]>('/api/usage?model=said&by=tag:env,team,end-user')
      assert.deepEqual(
        rows
          .filter(({ endUser }) => !endUser?.startsWith('x'))
          .map(({ tag, team, endUser, calls }) => [tag, team, endUser, calls]),
        [
          ['prod', 'search', 'Zo\u00eb', 1],
          ['dev', 'search', 'u-2\ufffd', 1],
          [null, null, null, 1],
        ],
      )
    })

    for (const wrong of ['usage?by=tag:A', 'usage?by=tag:a,tag:b', 'usage?tag=x', 'calls?tag=x%3D'])
      test(`${wrong} is no question`, async () => {
        assert.equal((await stage.admin('GET', `/api/${wrong}`)).status, 400)
      })
  })

  test('sums are of the days that are asked for', async () => {
    const today = new Date().toISOString().slice(0, 10)
    assert.ok((await read<UsageRow[]>(`/api/usage?from=${today}&to=${today}`)).length > 0)
    assert.deepEqual(await read(`/api/usage?from=2020-01-01&to=2020-12-31`), [])
    for (const wrong of ['from=2020-01-02&to=2020-01-01', 'from=2020-01-01&to=2026-01-01', 'by=x'])
      assert.equal((await stage.admin('GET', `/api/usage?${wrong}`)).status, 400, wrong)
  })

  test('a line that an older version wrote is taken as it is', async () => {
    const line = {
      ...{ id: 'old-1', org: 'default', user: 'owner', model: 'old', wire: 'chat' },
      ...{ is_rehearsal: false, state: 'settled', input_tokens: 5, cached_tokens: 0 },
      ...{ cache_write_tokens: 0, output_tokens: 6, cost_nano_usd: 7, is_priced: true },
      ...{ tool_calls: 0, began_at: new Date().toISOString(), text: '' },
    }
    await stage.deps.db.query(upsertCalls(JSON.stringify([line])))
    assert.deepEqual((await lastCall('old')).usage, usage(5, 0, 0, 6))
  })

  test('prices are told of what providers list, and of any model by its name', async () => {
    const all = await read<PriceRow[]>('/api/prices')
    const listed = all.map((row) => [row.kind, row.model, row.source])
    assert.deepEqual(listed, [
      ['anthropic', model, 'list'],
      ['anthropic', 'nobody-prices-it', null],
      ['openai', 'gpt-5', 'list'],
      ['anthropic', 'said', null],
      ['anthropic', 'denied', null],
    ])
    const [row] = await read<PriceRow[]>('/api/prices?model=gemini-2.5-pro')
    assert.partialDeepStrictEqual(row, { kind: 'gemini', contextTokensMax: 1_048_576 })
    assert.partialDeepStrictEqual(row!.tiers[1], { above: 200_000, input: 2.5, output: 15 })
  })

  test('a file of prices is tried without taking it', async () => {
    const check = async (body: object) =>
      (await (await stage.admin('POST', '/api/prices/check', body)).json()) as PriceCheck
    const entry = { model: 'gpt-5', rates: { input: 1 } }
    assert.deepEqual(await check({ version: 1, models: [entry] }), {
      ...{ ok: true, models: 1, problems: [] },
    })
    const { ok, problems } = await check({ version: 1, models: [{ ...entry, rates: { in: 1 } }] })
    assert.equal(ok, false)
    assert.ok(problems.some(({ path }) => path === 'models.0.rates.in'))
    const [row] = await read<PriceRow[]>('/api/prices?model=gpt-5')
    assert.equal(row!.source, 'list')
  })
})
