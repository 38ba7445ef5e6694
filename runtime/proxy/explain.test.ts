import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Explained, Route } from './routing/api.ts'
import { type Fork, otherKey, retry, startFork } from './testing/fork.ts'
import { type Stage, until } from './testing/stage.ts'

describe('routes as people keep them', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let fork: Fork
  let stage: Stage
  before(async () => {
    postgres = owned.use(await startPostgres())
    fork = owned.use(await startFork(postgres))
    stage = fork.stage
  })
  after(() => owned.disposeAsync())
  beforeEach(() => fork.clear())

  describe('who may, and what is refused', () => {
    const member = userClaims({ role: 'member', sub: 'm' })
    const foreign = userClaims({ org: 'elsewhere' })

    test('a member reads routes and policies, and changes neither', async () => {
      const route = await fork.addRoute()
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
      await fork.addRoute()
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
        async () => (await fork.call({}, '/v1/messages', { 'x-api-key': otherKey })).status === 403,
      )
      assert.deepEqual(fork.seen(), [0, 0])
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
      const route = await fork.addRoute(retry('overloaded'))
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

    test('the budgets that count for it are named, and no others', async () => {
      const budget = { level: 'org', unit: 'tokens', amount: 1_000_000, window: 'day', zone: 'UTC' }
      const add = (more: object) => stage.admin('POST', '/api/budgets', { ...budget, ...more })
      assert.equal((await add({ name: 'ours' })).status, 201)
      assert.equal((await add({ name: 'of-another', level: 'key', subject: 'key-9' })).status, 201)
      const { body } = await explain({ model: 'm-1', key: 'key-1' })
      assert.deepEqual(
        body.budgets.map(({ name }) => name),
        ['ours'],
      )
      await stage.admin('DELETE', '/api/budgets/ours')
      await stage.admin('DELETE', '/api/budgets/of-another')
    })

    test('the route, its targets and their order are told, and nobody is called', async () => {
      await fork.addRoute({
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
      assert.deepEqual(fork.seen(), [0, 0])
    })

    test('a policy’s refusal is told with its rule, and where the call would have gone', async () => {
      await fork.addRoute()
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
      await fork.addRoute()
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
