import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { at, run, startInstance, type TestInstance } from './testing.ts'

const lists = { allow: null, deny: [] }
const route = {
  name: 'opus',
  match: { models: ['claude-opus-*'], stream: true },
  targets: [
    { provider: 'claude', weight: 1, order: 0 },
    { provider: 'eu', model: 'opus-eu', weight: 3, order: 1 },
  ],
  strategy: 'order',
  retry: { triesMax: 3, on: ['overloaded'] },
  affinity: 'session',
  pingS: 20,
  createdAt: at,
}
const policy = {
  ...{ subject: 'key:k1', models: { allow: ['claude-*'], deny: ['claude-opus-*'] }, tools: lists },
  ...{ serverTools: { allow: [], deny: [] }, outputTokensMax: 8_000, outputOver: 'clip' },
  ...{
    regions: ['eu'],
    retention: ['zdr'],
    logging: 'metadata',
    onClientLeft: 'drain',
    updatedAt: at,
  },
}
const health = {
  ...{ state: 'good', class: null, failures: 0, coolingUntil: null, inFlight: 1, callsMax: 4 },
}
const explained = {
  caller: { org: 'o', user: 'owner', key: 'k1', isSandbox: false },
  ...{ model: 'm', wire: 'chat' },
  policy: {
    ...{ isAllowed: true, checks: [], regions: null, retention: [], outputTokensMax: null },
    logging: 'full',
    onClientLeft: 'cancel',
  },
  route: { name: 'main', strategy: 'order', affinity: 'session', retry: null, pingS: 20 },
  candidates: [
    { provider: 'a', model: 'm', isIn: true, reason: 'a target', health, isPriced: true },
    { provider: 'b', model: 'm', isIn: false, reason: 'gone', health: null, isPriced: null },
  ],
  ...{ order: ['a'], refusal: null, budgets: [{ name: 'daily' }] },
}

describe('routes and policies on the command line', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance()
  })
  after(() => instance[Symbol.asyncDispose]())
  beforeEach(() => {
    instance.asked.length = 0
  })
  const call = (...argv: string[]) => run(instance.folder, argv)
  const sent = () => instance.asked.at(-1)!

  test('route add sends targets in their order, with names and weights', async () => {
    instance.routes['POST /api/routes'] = route
    const { code, stdout } = await call(
      ...['route', 'add', 'opus', '--models', 'claude-opus-*', '--to', 'claude'],
      ...['--to', 'eu=opus-eu@3', '--to', 'c@2', '--retry-on', 'overloaded,unsent', '--stream'],
      ...['--tag', 'env=prod', '--no-affinity', '--ping', '15', '--teams', 'search'],
    )
    assert.deepEqual([code, stdout], [0, 'Route opus: claude-opus-*.\n'])
    assert.deepEqual(sent().body, {
      name: 'opus',
      match: { models: ['claude-opus-*'], stream: true, tags: { env: 'prod' }, teams: ['search'] },
      targets: [
        { provider: 'claude', order: 0 },
        { provider: 'eu', order: 1, model: 'opus-eu', weight: 3 },
        { provider: 'c', order: 2, weight: 2 },
      ],
      retry: { triesMax: 3, on: ['overloaded', 'unsent'] },
      affinity: 'off',
      pingS: 15,
    })
  })

  test('a model at a date keeps its at sign', async () => {
    instance.routes['PUT /api/routes/x'] = route
    await call('route', 'add', 'x', '--replace', '--models', 'm', '--to', 'v=claude@20250101x@2')
    const { targets } = sent().body as { targets: object[] }
    assert.deepEqual(targets, [{ provider: 'v', order: 0, model: 'claude@20250101x', weight: 2 }])
  })

  test('route list and route show say where models go', async () => {
    instance.routes['GET /api/routes'] = { items: [route], cursor: null }
    instance.routes['GET /api/routes/opus'] = route
    const listed = await call('route', 'list')
    assert.match(listed.stdout, /opus +claude-opus-\* +claude, eu=opus-eu@3 +order +overloaded/)
    const shown = (await call('route', 'show', 'opus')).stdout
    assert.match(shown, /only +stream true/)
    assert.match(shown, /pings +after 20 s of silence in a stream/)
    instance.routes['GET /api/routes'] = { items: [], cursor: null }
    assert.match((await call('route', 'list')).stdout, /route add/)
  })

  test('policy set sends the whole of it for the key that is named', async () => {
    instance.routes['PUT /api/policies/key%3Ak1'] = policy
    const { stdout } = await call(
      ...['policy', 'set', '--key', 'k1', '--models', 'claude-*', '--server-tools', ''],
      ...['--max-output', '8000', '--clip', '--regions', 'eu', '--logging', 'metadata'],
      ...['--on-client-left', 'drain'],
    )
    assert.equal(stdout, 'Set the policy of the key k1.\n')
    assert.deepEqual(sent().body, {
      models: { allow: ['claude-*'], deny: [] },
      tools: { allow: null, deny: [] },
      serverTools: { allow: [], deny: [] },
      outputTokensMax: 8_000,
      outputOver: 'clip',
      regions: ['eu'],
      logging: 'metadata',
      onClientLeft: 'drain',
    })
  })

  test('policy show and policy list say what holds', async () => {
    instance.routes['GET /api/policies/org'] = { ...policy, subject: 'org' }
    instance.routes['GET /api/policies'] = { items: [policy], cursor: null }
    const { stdout } = await call('policy', 'show')
    assert.match(stdout, /models +claude-\*; not claude-opus-\*/)
    assert.match(stdout, /server tools +none/)
    assert.match(stdout, /client leaves +drain/)
    assert.match(stdout, /8000 tokens; what asks for more is lowered/)
    assert.match((await call('policy', 'list')).stdout, /key:k1 .*eu .*metadata/)
  })

  test('policy set holds for a team, and for one subject at once', async () => {
    instance.routes['PUT /api/policies/team%3Asearch'] = { ...policy, subject: 'team:search' }
    const { stdout } = await call('policy', 'set', '--team', 'search', '--models', 'm')
    assert.equal(stdout, 'Set the policy of the team search.\n')
    assert.equal((await call('policy', 'set', '--team', 'a', '--sandboxes')).code, 2)
  })

  test('policy remove lifts that of sandboxes', async () => {
    instance.routes['DELETE /api/policies/sandboxes'] = {}
    const { stdout } = await call('policy', 'remove', '--sandboxes')
    assert.equal(stdout, 'Lifted the policy of its sandboxes.\n')
  })

  test('proxy explain says where a call goes, and through what', async () => {
    instance.routes['POST /api/explain'] = explained
    const { code, stdout } = await call('proxy', 'explain', '--model', 'm', '--key', 'k1')
    assert.equal(code, 0)
    assert.match(stdout, /✓ m goes to a\n/)
    assert.match(stdout, /budgets +daily/)
    assert.match(stdout, /pings +after 20 s/)
    assert.match(stdout, /a +m +yes +good +1\/4 +known +a target/)
    assert.deepEqual(sent().body, { model: 'm', key: 'k1' })
  })

  test('proxy explain ends with 1 and the reason where the call would be refused', async () => {
    const refusal = { code: 'policy/model', status: 403, message: 'Not this one.' }
    const checks = [{ rule: 'models', scope: 'org', isAllowed: false, say: 'm is not among them.' }]
    const refused = { ...explained, refusal, order: [], policy: { ...explained.policy, checks } }
    instance.routes['POST /api/explain'] = refused
    const { code, stdout } = await call('proxy', 'explain', '--model', 'm', '--sandbox')
    assert.equal(code, 1)
    assert.match(stdout, /✗ refused \(403 policy\/model\): Not this one\./)
    assert.match(stdout, /✗ org: models: m is not among them\./)
    assert.deepEqual(sent().body, { model: 'm', sandbox: { model: 'm' } })
  })

  test('key rotate prints the new key alone', async () => {
    instance.routes['POST /api/keys/k1/rotate'] = { id: 'k2', key: 'trd_new' }
    const { stdout } = await call('key', 'rotate', 'k1', '--overlap', '2h')
    assert.equal(stdout, 'trd_new\n')
    assert.deepEqual(sent().body, { overlap: '2h' })
  })

  test('provider set sends settings, and takes them back by none', async () => {
    instance.routes['PUT /api/providers/claude'] = { name: 'claude', baseUrl: 'https://a' }
    const file = join(instance.folder, 'ca.pem')
    writeFileSync(file, 'PEM')
    await call(
      ...['provider', 'set', 'claude', '--calls-max', '8', '--region', 'none', '--ca-file', file],
      ...['--retention', 'zdr,hipaa', '--expires', '2027-03-31', '--proxy-url', 'none'],
    )
    assert.deepEqual(sent().body, {
      callsMax: 8,
      region: null,
      retention: ['zdr', 'hipaa'],
      proxyUrl: null,
      ca: 'PEM',
      expiresAt: '2027-03-31T00:00:00.000Z',
    })
  })

  test('provider test tells the call beside the list, and a key that expires', async () => {
    instance.routes['POST /api/providers/claude/test'] = {
      ...{ ok: false, status: 200, latencyMs: 5, error: null, warning: 'The key expires soon.' },
      call: { ok: false, model: 'm', status: 400, error: 'no credit' },
    }
    const { code, stdout, stderr } = await call('provider', 'test', 'claude', '--call')
    assert.equal(code, 1)
    assert.match(stdout, /✓ answered 200 after 5 ms\n✗ a call of m: answered 400: no credit/)
    assert.match(stderr, /The key expires soon/)
    assert.deepEqual(sent().body, { call: true })
  })

  for (const [what, argv] of [
    ['a target that is none', ['route', 'add', 'x', '--models', 'm', '--to', '=m']],
    ['a tag without a name', ['proxy', 'explain', '--model', 'm', '--tag', '=x']],
    ['a key and sandboxes at once', ['policy', 'show', '--key', 'k', '--sandboxes']],
    ['a date that is none', ['provider', 'set', 'x', '--expires', 'soon']],
    ['no tokens at all', ['policy', 'set', '--max-output', '0']],
  ] as const) {
    test(`${what} is wrong use, and nothing is sent`, async () => {
      const { code } = await call(...argv)
      assert.equal(code, 2)
      assert.equal(instance.asked.length, 0)
    })
  }
})
