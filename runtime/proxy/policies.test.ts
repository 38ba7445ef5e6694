import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Explained } from './routing/api.ts'
import { errorOf, type Fork, fine, json, script, startFork, teamKey } from './testing/fork.ts'
import { clientKey, type Stage, sandboxClaims, startLine, until } from './testing/stage.ts'

const open = { models: {}, tools: {}, serverTools: {} }

describe('a policy of calls', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let fork: Fork
  let stage: Stage
  before(async () => {
    postgres = owned.use(await startPostgres())
    fork = owned.use(await startFork(postgres, { clientLeft: { msMax: '1m', bytesMax: '64KiB' } }))
    stage = fork.stage
  })
  after(() => owned.disposeAsync())
  beforeEach(() => fork.clear())

  describe('policies', () => {
    const set = async (subject: string, policy: object) => {
      const response = await stage.admin('PUT', `/api/policies/${subject}`, { ...open, ...policy })
      assert.equal(response.status, 200, await response.clone().text())
    }

    test('a change holds for the next call, and leaves one in flight alone', async () => {
      await fork.addRoute()
      let answer: ServerResponse | undefined
      script(stage.upstream, (response) => {
        answer = response
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      })
      const flying = await fork.call({ stream: true })
      await set('org', { models: { deny: ['m-1'] } })
      const refused = await fork.call()
      assert.equal(refused.status, 403)
      assert.equal(refused.headers.get('x-should-retry'), 'false')
      assert.match((await errorOf(refused)).message, /m-1 is not among the models/)
      answer!.end('data: 2\n\n')
      assert.equal(await flying.text(), 'data: 1\n\ndata: 2\n\n')
      assert.equal((await stage.admin('DELETE', '/api/policies/org')).status, 204)
      script(stage.upstream, fine)
      assert.equal((await fork.call()).status, 200)
    })

    test('a change by another process is felt within a second', async () => {
      await fork.addRoute()
      const definition = { models: { deny: ['*'] }, tools: {}, serverTools: {} }
      await postgres.query(`insert into proxy.policies values ('default', 'org', $1, 'x', now())`, [
        JSON.stringify(definition),
      ])
      await postgres.query('update proxy.rules_version set version = version + 1')
      const began = performance.now()
      await until(async () => (await fork.call()).status === 403)
      assert.ok(performance.now() - began < 3_000) // A second, and what a busy machine adds.
    })

    test('one that can not be read allows nothing', async () => {
      await fork.addRoute()
      await postgres.query(`insert into proxy.policies values ('default', 'org', $1, 'x', now())`, [
        '{"models":{"deny":"all"}}',
      ])
      await postgres.query('update proxy.rules_version set version = version + 1')
      await until(async () => (await fork.call()).status === 403)
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
        await fork.addRoute()
        await set('key:key-1', policy)
        const response = await fork.call(body)
        assert.equal(response.status, 403)
        assert.match((await errorOf(response)).message, says)
        assert.deepEqual(fork.seen(), [0, 0])
      })
    }

    test('the list of models has what routes name, and hides what a policy forbids', async () => {
      await fork.addRoute({ match: { models: ['fast', 'm-*'] } })
      const list = async () => {
        const headers = { 'x-api-key': clientKey }
        const response = await fetch(new URL('/v1/models', stage.url), { headers })
        const { data } = (await response.json()) as { data: { id: string }[] }
        return [...new Set(data.map(({ id }) => id))]
      }
      assert.deepEqual(await list(), ['m-1', 'fast'])
      await set('org', { models: { deny: ['m-*'] } })
      assert.deepEqual(await list(), ['fast'])
    })

    describe('of a team', () => {
      const ofTeam = { 'x-api-key': teamKey }
      const call = (headers = {}) => fork.call({}, '/v1/messages', headers)
      before(() => until(async () => (await call(ofTeam)).status !== 401))

      test('a policy holds for its keys alone, beside that of the organisation', async () => {
        await fork.addRoute()
        await set('team:search', { models: { deny: ['m-1'] } })
        const refused = await call(ofTeam)
        assert.equal(refused.status, 403)
        assert.match((await errorOf(refused)).message, /the policy team:search/)
        assert.equal((await call()).status, 200)
        await set('team:search', {})
        await set('org', { models: { deny: ['m-1'] } })
        assert.equal((await call(ofTeam)).status, 403)
      })

      test('a policy holds for what a loop of the team runs', async () => {
        await fork.addRoute()
        await set('team:search', { models: { deny: ['m-1'] } })
        const statusOf = async (claims: object) => {
          const full = sandboxClaims({ sub: 'sb-team', ...claims })
          await using line = await startLine(stage, full.sub)
          const response = await fetch(new URL('/v1/messages', line.url), {
            method: 'POST',
            headers: { authorization: `Bearer ${await stage.deps.tokenFor(full)}` },
            body: JSON.stringify({ model: 'm-1' }),
          })
          return response.status
        }
        assert.deepEqual([await statusOf({ team: 'search' }), await statusOf({})], [403, 200])
      })

      test('a route is taken by its keys alone', async () => {
        await fork.addRoute({
          match: { models: ['m-1'], teams: ['search'] },
          targets: [{ provider: 'b' }],
        })
        await call(ofTeam)
        await call()
        assert.deepEqual(fork.seen(), [1, 1])
        assert.equal(fork.second.seen[0]!.headers['x-api-key'], 'sk-b')
        const asked = { model: 'm-1', key: 'key-3' }
        const response = await stage.admin('POST', '/api/explain', asked)
        assert.equal(((await response.json()) as Explained).route?.name, 'main')
      })

      test('a budget counts its keys alone', async () => {
        await fork.addRoute()
        const budget = {
          name: 'few',
          level: 'team',
          subject: 'search',
          unit: 'requests',
          amount: 1,
        }
        const made = await stage.admin('POST', '/api/budgets', { ...budget, window: 'total' })
        assert.equal(made.status, 201, await made.clone().text())
        assert.equal((await call(ofTeam)).status, 200)
        const refused = await call(ofTeam)
        assert.equal(refused.status, 402)
        assert.match((await errorOf(refused)).message, /Budget few \(team search/)
        assert.equal((await call()).status, 200)
        await stage.admin('DELETE', '/api/budgets/few')
      })
    })

    test('a provider in the region is chosen, and one outside is not', async () => {
      await fork.addRoute()
      await stage.admin('PUT', '/api/providers/b', { region: 'eu', retention: ['zdr'] })
      await set('org', { regions: ['eu'], retention: ['zdr'] })
      assert.equal((await fork.call()).status, 200)
      assert.deepEqual(fork.seen(), [0, 1])
    })

    test('a limit that clips is put in place of the client’s', async () => {
      await fork.addRoute()
      await set('org', { outputTokensMax: 10, outputOver: 'clip' })
      await fork.call({ max_tokens: 500 })
      await fork.call({ max_tokens: 5 })
      assert.deepEqual(
        stage.upstream.seen.map(({ body }) => body.toString()),
        ['{"model":"m-1","max_tokens":10}', '{"model":"m-1","max_tokens":5}'],
      )
    })

    test('a budget that clips refuses what would be left with less than it may think', async () => {
      await fork.addRoute()
      const budget = { name: 'tight', level: 'org', unit: 'tokens', amount: 4_000, window: 'total' }
      const clip = { clip: 'allow', clipTokensMin: 1 }
      const made = await stage.admin('POST', '/api/budgets', { ...budget, ...clip })
      assert.equal(made.status, 201, await made.clone().text())
      const thinking = { type: 'enabled', budget_tokens: 2_048 }
      const refused = await fork.call({ max_tokens: 50_000, thinking })
      assert.equal(refused.status, 402)
      assert.match(
        (await errorOf(refused)).message,
        /Budget tight .*This call can come to 4\d\d\d tokens/,
      )
      assert.deepEqual(fork.seen(), [0, 0])
      assert.equal((await fork.call({ max_tokens: 50_000 })).status, 200)
      const { max_tokens: asked } = JSON.parse(stage.upstream.seen[0]!.body.toString())
      assert.ok(asked > 1_000 && asked < 2_048, String(asked))
      await stage.admin('DELETE', '/api/budgets/tight')
    })

    test('a sandbox gets no other model by a policy that allows all', async () => {
      await fork.addRoute()
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
      await fork.addRoute()
      script(
        stage.upstream,
        json(200, {
          content: [{ type: 'text', text: 'secret words' }],
          usage: { input_tokens: 1, output_tokens: 1 },
        }),
      )
      await set('org', { logging: 'off' })
      const before = stage.peers.turns.length
      await fork.call({ messages: [] })
      await set('org', { logging: 'full' })
      await fork.call({ messages: [] })
      await until(() => stage.peers.turns.length > before)
      assert.equal(stage.peers.turns.length, before + 1)
    })

    test('the words of a sandbox are kept or not, and whoever runs its pass sees them either way', async () => {
      await fork.addRoute()
      const content = [{ type: 'text', text: 'it is done' }]
      script(stage.upstream, json(200, { content, usage: { input_tokens: 1, output_tokens: 1 } }))
      for (const [logging, kept] of [
        ['off', ''],
        ['metadata', 'it is done'],
      ] as const) {
        await set('sandboxes', { logging })
        const claims = sandboxClaims({ sub: `sb-${logging}` })
        await using line = await startLine(stage, claims.sub)
        const response = await fetch(new URL('/v1/messages', line.url), {
          method: 'POST',
          headers: { authorization: `Bearer ${await stage.deps.tokenFor(claims)}` },
          body: '{"model":"m-1"}',
        })
        await response.text()
        assert.equal((await stage.record(claims.sub)).last!.text, 'it is done')
        const [row] = (await postgres.query('select text from proxy.calls where sandbox = $1', [
          claims.sub,
        ])) as { text: string }[]
        assert.equal(row!.text, kept)
      }
    })
  })
})
