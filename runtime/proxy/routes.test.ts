import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { NewProviderInput } from './api.ts'
import type { Explained, NewRouteInput, ProviderHealth, Route } from './routing/api.ts'
import {
  clientKey,
  keyCheck,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  startUpstream,
  type Upstream,
  until,
} from './testing/stage.ts'

type Script = (response: ServerResponse) => void
const json = (status: number, body: object | string, headers: Record<string, string> = {}) =>
  ((response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body))) as Script
const fine = json(200, {
  id: 'resp_1',
  status: 'completed',
  usage: { input_tokens: 1, output_tokens: 1 },
})
const otherKey = 'trd_other-org-17aa'
const all = [
  'dead-key',
  'rate-limited',
  'busy',
  'overloaded',
  'unsent',
  'failed',
  'unanswered',
] as const

describe('routes and policies', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  let second: Upstream
  let count = 0
  before(async () => {
    postgres = owned.use(await startPostgres())
    second = owned.use(await startUpstream())
    stage = owned.use(await startStage({ postgres }))
    stage.peers.keys.push(keyCheck(otherKey, { id: 'key-2', org: 'elsewhere', user: 'eve' }))
  })
  after(() => owned.disposeAsync())
  beforeEach(async () => {
    for (const name of ['a', 'b', 'chat-a', 'chat-b'])
      await stage.admin('DELETE', `/api/providers/${name}`)
    for (const path of [
      '/api/routes/main',
      '/api/policies/org',
      '/api/policies/key:key-1',
      '/api/policies/sandboxes',
    ])
      await stage.admin('DELETE', path)
    for (const upstream of [stage.upstream, second]) {
      upstream.seen.length = 0
      upstream.state.script = (_request, response) => fine(response)
    }
  })

  /** Two providers of a kind, `a` on the first upstream and `b` on the second, and a route over both. */
  async function addRoute(
    route: Partial<NewRouteInput> = {},
    more: Partial<NewProviderInput> = {},
  ) {
    await stage.addProvider({ name: 'a', key: 'sk-a', ...more })
    await stage.addProvider({ name: 'b', key: 'sk-b', baseUrl: second.url.href, ...more })
    const targets = [{ provider: 'a' }, { provider: 'b', order: 1 }]
    const json = { name: 'main', match: { models: ['m-*'] }, targets, ...route }
    const response = await stage.admin('POST', '/api/routes', json)
    assert.equal(response.status, 201, await response.clone().text())
    return (await response.json()) as Route
  }
  const retry = (...on: (typeof all)[number][]) => ({ retry: { triesMax: 5, on } })
  const script = (upstream: Upstream, run: Script) => {
    upstream.state.script = (_request, response) => run(response)
  }
  /** One session a call, so that no call finds its way by an earlier one. */
  const call = (body: object = {}, path = '/v1/messages', headers: Record<string, string> = {}) => {
    count += 1
    return fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { 'x-api-key': clientKey, 'x-session-id': `s-${count}`, ...headers },
      body: JSON.stringify({ model: 'm-1', ...body }),
    })
  }
  const codeOf = async (response: Response) =>
    ((await response.json()) as { error: { message: string; code?: string } }).error
  const seen = () => [stage.upstream.seen.length, second.seen.length]

  for (const [what, failing] of [
    ['dead-key', json(401, { error: { type: 'authentication_error' } })],
    ['rate-limited', json(429, { error: { type: 'rate_limit_error' } })],
    ['busy', json(429, { error: { code: '1302' } })],
    ['overloaded', json(529, { error: { type: 'overloaded_error' } })],
    ['failed', json(500, 'oops')],
    ['unanswered', (response) => response.socket!.destroy()],
  ] as [(typeof all)[number], Script][]) {
    test(`a call goes on to the next target after this failure: ${what}`, async () => {
      await addRoute(retry(what))
      script(stage.upstream, failing)
      const response = await call()
      assert.equal(response.status, 200)
      assert.deepEqual(seen(), [1, 1])
      assert.deepEqual(
        [stage.upstream, second].map((upstream) => upstream.seen[0]!.headers['x-api-key']),
        ['sk-a', 'sk-b'],
      )
    })

    test(`without its name in the route the failure is the client's: ${what}`, async () => {
      await addRoute(retry(...all.filter((one) => one !== what)))
      script(stage.upstream, failing)
      assert.notEqual((await call()).status, 200)
      assert.deepEqual(seen(), [1, 0])
    })
  }

  test('a target that nobody listens at is passed over', async () => {
    await addRoute(retry('unsent'), {})
    const closed = await startUpstream()
    await closed[Symbol.asyncDispose]()
    const change = { baseUrl: closed.url.href, key: 'sk-a' }
    assert.equal((await stage.admin('PUT', '/api/providers/a', change)).status, 200)
    assert.equal((await call()).status, 200)
    assert.deepEqual(seen(), [0, 1])
  })

  test('when all targets fail, the last answer is the client’s, byte for byte', async () => {
    await addRoute(retry(...all))
    script(stage.upstream, json(529, 'first'))
    const text = '{"type":"error",  "error":{"type":"rate_limit_error","message":"é"}}'
    const headers = { 'retry-after': '7', 'request-id': 'req_9', 'anthropic-ratelimit-x': '0' }
    script(second, json(429, text, headers))
    const response = await call()
    assert.equal(response.status, 429)
    assert.equal(await response.text(), text)
    for (const [name, value] of Object.entries(headers))
      assert.equal(response.headers.get(name), value)
  })

  test('once a byte of an answer came, nobody else is asked', async () => {
    await addRoute(retry(...all))
    script(stage.upstream, (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      setTimeout(() => response.socket!.destroy(), 20)
    })
    const response = await call({ stream: true })
    assert.equal(response.status, 200)
    await assert.rejects(response.text())
    assert.deepEqual(seen(), [1, 0])
  })

  test('with every key dead the client is told so by us, and no vendor is asked', async () => {
    await addRoute(retry(...all))
    for (const upstream of [stage.upstream, second]) script(upstream, json(401, '{}'))
    assert.equal((await call()).status, 401)
    const response = await call()
    assert.equal(response.status, 502)
    assert.match((await codeOf(response)).message, /No credential of the providers/)
    assert.deepEqual(seen(), [1, 1])
    const health = await stage.admin('GET', '/api/providers/a/health')
    const { state, class: found, coolingUntil } = (await health.json()) as ProviderHealth
    assert.deepEqual([state, found], ['cooling', 'dead-key'])
    assert.ok(Date.parse(coolingUntil!) > Date.now())
    await stage.admin('PUT', '/api/providers/a', { key: 'sk-new' })
    script(stage.upstream, fine)
    assert.equal((await call()).status, 200) // A new key starts good.
  })

  test('a credential has as many calls at once as it may have, and the next goes elsewhere', async () => {
    await addRoute({}, { callsMax: 1 })
    const held: ServerResponse[] = []
    script(stage.upstream, (response) => held.push(response))
    const first = call()
    await until(() => held.length === 1)
    assert.equal((await call()).status, 200)
    script(second, (response) => held.push(response))
    const other = call()
    await until(() => held.length === 2)
    const full = await call()
    assert.deepEqual([full.status, full.headers.get('retry-after')], [503, '2'])
    for (const response of held) fine(response)
    assert.deepEqual([(await first).status, (await other).status], [200, 200])
    script(stage.upstream, fine)
    await until(async () => (await call()).status === 200)
  })

  test('an alias stands in place of the model, and the rest of the body as it was', async () => {
    await addRoute({ targets: [{ provider: 'b', model: 'upstream-name' }] })
    await call({ metadata: { note: 'm-1 é' } })
    assert.equal(
      second.seen[0]!.body.toString(),
      '{"model":"upstream-name","metadata":{"note":"m-1 é"}}',
    )
  })

  test('calls of a session stay together, and a tag can choose the route', async () => {
    const targets = [{ provider: 'a' }, { provider: 'b' }]
    const match = { models: ['m-*'], tags: { env: 'prod' } }
    await addRoute({ strategy: 'weighted', targets, match })
    const headers = { 'x-session-id': 'always-the-same', 'x-treadle-tags': 'env=prod' }
    for (let i = 0; i < 6; i += 1) await call({}, '/v1/messages', headers)
    assert.deepEqual(seen().toSorted(), [0, 6])
    const { headers: got } = [...stage.upstream.seen, ...second.seen][0]!
    assert.equal(got['x-treadle-tags'], undefined)
    assert.equal((await call({}, '/v1/messages', { 'x-treadle-tags': 'env' })).status, 400)
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
      await addRoute({ strategy: 'weighted' }, { kind })
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

    test('an id that nobody knows is 404, and no upstream hears of it', async () => {
      await addRoute({}, { kind })
      assert.equal((await ask({ previous_response_id: 'resp_unknown' })).status, 404)
      assert.deepEqual(seen(), [0, 0])
    })
  })

  describe('policies', () => {
    const set = async (subject: string, policy: object) => {
      const plain = { models: {}, tools: {}, serverTools: {} }
      const response = await stage.admin('PUT', `/api/policies/${subject}`, { ...plain, ...policy })
      assert.equal(response.status, 200, await response.clone().text())
    }

    test('a change holds for the next call, and leaves one in flight alone', async () => {
      await addRoute()
      let answer: ServerResponse | undefined
      script(stage.upstream, (response) => {
        answer = response
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      })
      const flying = await call({ stream: true })
      await set('org', { models: { deny: ['m-1'] } })
      const refused = await call()
      assert.equal(refused.status, 403)
      assert.equal(refused.headers.get('x-should-retry'), 'false')
      assert.match((await codeOf(refused)).message, /m-1 is not among the models/)
      answer!.end('data: 2\n\n')
      assert.equal(await flying.text(), 'data: 1\n\ndata: 2\n\n')
      assert.equal((await stage.admin('DELETE', '/api/policies/org')).status, 204)
      script(stage.upstream, fine)
      assert.equal((await call()).status, 200)
    })

    test('a change by another process is felt within a second', async () => {
      await addRoute()
      const definition = { models: { deny: ['*'] }, tools: {}, serverTools: {} }
      await postgres.query(`insert into proxy.policies values ('default', 'org', $1, 'x', now())`, [
        JSON.stringify(definition),
      ])
      await postgres.query('update proxy.rules_version set version = version + 1')
      const began = performance.now()
      await until(async () => (await call()).status === 403)
      assert.ok(performance.now() - began < 3_000) // A second, and what a busy machine adds.
    })

    for (const [what, policy, body, says] of [
      [
        'a tool',
        { tools: { deny: ['bash'] } },
        { tools: [{ name: 'bash', input_schema: {} }] },
        /bash/,
      ],
      [
        'a tool of the vendor’s',
        { serverTools: { deny: ['web_search*'] } },
        { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
        /web_search/,
      ],
      ['many tokens', { outputTokensMax: 10 }, { max_tokens: 11 }, /11 tokens, and 10/],
      ['tokens without a limit', { outputTokensMax: 10 }, {}, /10 at most/],
      ['a region', { regions: ['eu'] }, {}, /Asked for: eu/],
      ['a label', { retention: ['zdr'] }, {}, /Asked for: zdr/],
    ] as const) {
      test(`a call with ${what} is refused by the policy of its key, and booked as denied`, async () => {
        await addRoute()
        await set('key:key-1', policy)
        const response = await call(body)
        assert.equal(response.status, 403)
        assert.match((await codeOf(response)).message, says)
        assert.deepEqual(seen(), [0, 0])
      })
    }

    test('a provider in the region is chosen, and one outside is not', async () => {
      await addRoute()
      await stage.admin('PUT', '/api/providers/b', { region: 'eu', retention: ['zdr'] })
      await set('org', { regions: ['eu'], retention: ['zdr'] })
      assert.equal((await call()).status, 200)
      assert.deepEqual(seen(), [0, 1])
    })

    test('a limit that clips is put in place of the client’s', async () => {
      await addRoute()
      await set('org', { outputTokensMax: 10, outputOver: 'clip' })
      await call({ max_tokens: 500 })
      await call({ max_tokens: 5 })
      assert.deepEqual(
        stage.upstream.seen.map(({ body }) => body.toString()),
        ['{"model":"m-1","max_tokens":10}', '{"model":"m-1","max_tokens":5}'],
      )
    })

    test('a sandbox gets no other model by a policy that allows all', async () => {
      await addRoute()
      await set('sandboxes', { models: { allow: ['*'] } })
      await using line = await startLine(stage, 'sb-1')
      const token = await stage.deps.tokenFor(sandboxClaims({ model: 'm-2' }))
      const ask = (model: string) =>
        fetch(new URL('/v1/messages', line.url), {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: JSON.stringify({ model }),
        })
      assert.deepEqual([(await ask('m-1')).status, (await ask('m-2')).status], [403, 200])
    })

    test('what is not to be kept reaches neither threads nor the ledger', async () => {
      await addRoute()
      script(
        stage.upstream,
        json(200, {
          content: [{ type: 'text', text: 'secret words' }],
          usage: { input_tokens: 1, output_tokens: 1 },
        }),
      )
      await set('org', { logging: 'off' })
      const before = stage.peers.turns.length
      await call({ messages: [] })
      await set('org', { logging: 'full' })
      await call({ messages: [] })
      await until(() => stage.peers.turns.length > before)
      assert.equal(stage.peers.turns.length, before + 1)
    })
  })

  describe('who may, and what is refused', () => {
    const member = userClaims({ role: 'member', sub: 'm' })
    const foreign = userClaims({ org: 'elsewhere' })

    test('a member reads routes and policies, and changes neither', async () => {
      const route = await addRoute()
      const statuses = await Promise.all(
        [
          ['GET', '/api/routes'],
          ['GET', '/api/routes/main'],
          ['GET', '/api/policies'],
          ['PUT', '/api/routes/main'],
          ['DELETE', '/api/routes/main'],
          ['PUT', '/api/policies/org'],
          ['DELETE', '/api/policies/org'],
        ].map(
          async ([method, path]) =>
            (await stage.admin(method!, path!, method === 'PUT' ? route : undefined, member))
              .status,
        ),
      )
      assert.deepEqual(statuses, [200, 200, 200, 403, 403, 403, 403])
    })

    test('another organisation sees none of it, and its calls take no route of ours', async () => {
      await addRoute()
      const list = await stage.admin('GET', '/api/routes', undefined, foreign)
      assert.deepEqual(await list.json(), { items: [], cursor: null })
      for (const [method, path] of [
        ['GET', '/api/routes/main'],
        ['DELETE', '/api/routes/main'],
        ['GET', '/api/providers/a/health'],
      ] as const) {
        assert.equal((await stage.admin(method, path, undefined, foreign)).status, 404)
      }
      await until(
        async () => (await call({}, '/v1/messages', { 'x-api-key': otherKey })).status === 403,
      )
      assert.deepEqual(seen(), [0, 0])
    })

    for (const [what, route] of [
      ['no target', { targets: [] }],
      ['a target that is not there', { targets: [{ provider: 'nobody' }] }],
      ['the rehearsal as target', { targets: [{ provider: 'rehearsal' }] }],
      ['a name of the rehearsal', { match: { models: ['rehearsal/*'] } }],
      ['an alias to the rehearsal', { targets: [{ provider: 'a', model: 'rehearsal/x' }] }],
      ['six tries', { retry: { triesMax: 6, on: ['overloaded'] } }],
      ['a retry of bad requests', { retry: { triesMax: 2, on: ['bad-request'] } }],
      ['a star in the middle', { match: { models: ['m*1'] } }],
      ['an unknown key', { timeout: 3 }],
    ] as const) {
      test(`a route with ${what} is refused`, async () => {
        await stage.addProvider({ name: 'a' })
        const plain = { name: 'bad', match: { models: ['m-1'] }, targets: [{ provider: 'a' }] }
        const response = await stage.admin('POST', '/api/routes', { ...plain, ...route })
        assert.equal(response.status, 400)
      })
    }

    test('a name twice is refused, and a change replaces the whole', async () => {
      const route = await addRoute(retry('overloaded'))
      const again = { name: 'main', match: route.match, targets: route.targets }
      assert.equal((await stage.admin('POST', '/api/routes', again)).status, 409)
      const changed = (await (await stage.admin('PUT', '/api/routes/main', again)).json()) as Route
      assert.deepEqual([changed.retry, changed.strategy], [null, 'order'])
    })
  })

  describe('where a call would go', () => {
    const explain = async (question: object, claims?: Parameters<Stage['admin']>[3]) => {
      const response = await stage.admin('POST', '/api/explain', question, claims)
      return { status: response.status, body: (await response.json()) as Explained }
    }

    test('the route, its targets and their order are told, and nobody is called', async () => {
      await addRoute({
        ...retry('overloaded'),
        targets: [
          { provider: 'a', order: 2 },
          { provider: 'b', model: 'x' },
        ],
      })
      const { body } = await explain({ model: 'm-1', key: 'key-1' })
      assert.equal(body.route!.name, 'main')
      assert.deepEqual(body.order, ['b', 'a'])
      assert.deepEqual(
        body.candidates.map(({ provider, model, isIn }) => [provider, model, isIn]),
        [
          ['a', 'm-1', true],
          ['b', 'x', true],
        ],
      )
      assert.deepEqual([body.wire, body.caller.key, body.refusal], ['messages', 'key-1', null])
      assert.deepEqual(seen(), [0, 0])
    })

    test('a policy’s refusal is told with its rule, and where the call would have gone', async () => {
      await addRoute()
      await stage.admin('PUT', '/api/policies/key:key-1', {
        models: { deny: ['m-1'] },
        tools: {},
        serverTools: {},
      })
      const { body } = await explain({ model: 'm-1', key: 'key-1' })
      assert.equal(body.refusal!.code, 'policy/model')
      assert.deepEqual(
        body.policy.checks
          .filter(({ isAllowed }) => !isAllowed)
          .map(({ rule, scope }) => [rule, scope]),
        [['models', 'key:key-1']],
      )
      assert.equal(body.candidates.length, 2)
      assert.equal((await explain({ model: 'm-1' })).body.refusal, null)
    })

    test('without a route each provider is told with its reason', async () => {
      await stage.addProvider({ name: 'a', models: ['other'] })
      await stage.addProvider({ name: 'b' })
      const { body } = await explain({ model: 'm-1' })
      assert.deepEqual([body.route, body.order], [null, ['b']])
      assert.match(
        body.candidates.find(({ provider }) => provider === 'a')!.reason,
        /does not list/,
      )
    })

    test('a sandbox is explained by its own rule, and another organisation’s key is unknown', async () => {
      await addRoute()
      const { body } = await explain({ model: 'm-1', sandbox: { model: 'm-2' } })
      assert.equal(body.refusal!.code, 'model/refused')
      assert.equal((await explain({ model: 'm-1', key: 'key-2' })).status, 404)
      assert.equal(
        (await explain({ model: 'm-1', key: 'key-1' }, userClaims({ org: 'elsewhere' }))).status,
        404,
      )
    })
  })
})
