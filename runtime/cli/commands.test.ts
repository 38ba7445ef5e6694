import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  type Asked,
  at,
  loop,
  pass,
  run,
  startInstance,
  type TestInstance,
  usageRow,
} from './testing.ts'

type Case = {
  argv: string[]
  /** What the front door answers, by method and path. */
  answers: Record<string, object>
  /** The last request that it saw. */
  asks?: Partial<Asked>
  /** What a person reads. */
  says: string[]
  /** The JSON document, where it is not the last answer itself. */
  json?: unknown
  code?: number
}

const page = (...items: object[]) => ({ items, cursor: null })
const key = { id: 'k1', name: 'ci', org: 'o', user: 'owner', createdAt: at, expiresAt: null }
const wholeKey = { ...key, lastUsedAt: null, revokedAt: null }
const provider = { name: 'claude', kind: 'anthropic', baseUrl: 'https://api.example.com' }
const wholeProvider = {
  ...provider,
  region: 'eu',
  allowPrivate: false,
  models: ['a', 'b'],
  createdAt: at,
  lastUsedAt: null,
}
const thread = { id: 't1', org: 'o', user: 'owner', loop: 'l-1', pass: 1, attempt: 1, model: 'm' }
const wholeThread = {
  ...thread,
  isRehearsal: true,
  title: 'Fix it',
  messages: 2,
  createdAt: at,
  updatedAt: at,
}
const probes = [
  { name: 'no-route', held: true, detail: '' },
  { name: 'seccomp', held: false, detail: 'off' },
]
const sandbox = {
  ...{ id: 'sb1', org: 'o', user: 'owner', purpose: 'agent', loop: 'l-1', pass: 1, attempt: 1 },
  ...{ state: 'ready', level: { backend: 'unshare', limits: 'rlimits', probes }, wasWarm: true },
  ...{ createdAt: at, endedAt: null, endReason: null },
}
const statusAnswer = {
  ...{ version: '0.1.0', startedAt: at, url: 'http://a', proxyUrl: 'http://b' },
  roles: [
    { role: 'auth', up: true },
    { role: 'spool', up: false },
  ],
  database: 'up',
}

const cases: Record<string, Case> = {
  'loop list shows a line a loop': {
    argv: ['loop', 'list', '--limit', '5', '--cursor', 'l-9'],
    answers: { 'GET /api/loops': page(loop) },
    asks: { query: { limit: '5', cursor: 'l-9' } },
    says: [
      'ID   NAME       STATE    PASSES  TOKENS     COST  MODEL     CREATED',
      'l-1  fix-login  running       1   12.3k  $0.0421  claude-x  2026-01-02 03:04:05Z',
    ],
  },
  'loop list sends its filters, and says of how many it shows some': {
    argv: ['loop', 'list', '--is', 'running,paused', '--agent', 'pi', '--q', 'shop'],
    answers: { 'GET /api/loops': { ...page(loop), total: 7 } },
    asks: { query: { limit: '20', state: 'running,paused', agent: 'pi', q: 'shop' } },
    says: [
      'ID   NAME       STATE    PASSES  TOKENS     COST  MODEL     CREATED',
      'l-1  fix-login  running       1   12.3k  $0.0421  claude-x  2026-01-02 03:04:05Z',
    ],
  },
  'loop show gives the loop and its passes': {
    argv: ['loop', 'show', 'l-1'],
    answers: { 'GET /api/loops/l-1': loop, 'GET /api/loops/l-1/passes': [pass] },
    says: [
      'loop        l-1',
      'name        fix-login',
      'state       running',
      'repository  /srv/app at HEAD',
      'agent       builtin with claude-x',
      'cost        $0.0421, 12.3k tokens',
      '',
      'PASS  COMMIT    FILES  GATES          TOKENS     COST  NEXT   SANDBOX  WHY',
      '   1  1a2b3c4d      3  lint ✓ test ✗   12.3k  $0.0421  again  sb1      a gate is red',
    ],
    json: { ...loop, items: [pass] },
  },
  'loop show --pass gives what its gates printed, and fails where one is red': {
    argv: ['loop', 'show', 'l-1', '--pass', '1'],
    answers: { 'GET /api/loops/l-1': loop, 'GET /api/loops/l-1/passes': [pass] },
    says: ['lint ✓', '  fine', '', 'test ✗', '  1 failed', '', 'last message', '  Not yet.'],
    json: pass,
    code: 1,
  },
  'loop pause says after which pass the loop rests': {
    argv: ['loop', 'pause', 'l-1'],
    answers: {
      'POST /api/loops/l-1/pause': {
        ...{ ...loop, isHeld: true, pass: { pass: 2, phase: 'agent', startedAt: at } },
      },
    },
    says: ['fix-login: rests after pass 2'],
  },
  'loop resume says how the loop stands': {
    argv: ['loop', 'resume', 'l-1'],
    answers: { 'POST /api/loops/l-1/resume': { ...loop, state: 'queued' } },
    says: ['fix-login: queued'],
  },
  'loop cancel says how the loop stands': {
    argv: ['loop', 'cancel', 'l-1'],
    answers: { 'POST /api/loops/l-1/cancel': { ...loop, state: 'ended', ending: 'cancelled' } },
    says: ['fix-login: cancelled'],
  },
  'loop retry prints the id of the new loop': {
    argv: ['loop', 'retry', 'l-1'],
    answers: { 'POST /api/loops/l-1/retry': { ...loop, id: 'l-2', retryOf: 'l-1' } },
    says: ['l-2'],
  },
  'sandbox list shows what the isolation was measured to be': {
    argv: ['sandbox', 'list', '--loop', 'l-1'],
    answers: { 'GET /api/sandboxes': page(sandbox) },
    asks: { query: { limit: '20', loop: 'l-1' } },
    says: [
      'ID   STATE  FOR    LOOP  PASS  ISOLATION                                  CREATED',
      'sb1  ready  agent  l-1      1  unshare, rlimits, 1/2 probes, not seccomp  2026-01-02 03:04:05Z',
    ],
  },
  "sandbox exec ends with the program's exit code": {
    argv: ['sandbox', 'exec', '--timeout', '5', 'sb1', 'ls', '-la', '--json'],
    answers: {
      'POST /api/sandboxes/sb1/exec': {
        exit: 3,
        ms: 1,
        timedOut: false,
        output: 'a\n',
        outputBytes: 2,
      },
    },
    asks: { body: { argv: ['ls', '-la', '--json'], env: {}, timeoutMs: 5_000 } },
    says: ['a'],
    code: 3,
  },
  'sandbox delete says that it is done': {
    argv: ['sandbox', 'delete', 'sb1'],
    answers: { 'DELETE /api/sandboxes/sb1': {} },
    says: ['Deleted sb1.'],
    json: { id: 'sb1', deleted: true },
  },
  'thread list marks rehearsals': {
    argv: ['thread', 'list', '--loop', 'l-1'],
    answers: { 'GET /api/threads': page(wholeThread) },
    asks: { query: { limit: '20', loop: 'l-1' } },
    says: [
      'ID  LOOP  PASS  MESSAGES  MODEL          TITLE   UPDATED',
      't1  l-1      1         2  m (rehearsal)  Fix it  2026-01-02 03:04:05Z',
    ],
  },
  'thread show indents what was said': {
    argv: ['thread', 'show', 't1'],
    answers: {
      'GET /api/threads/t1': {
        ...wholeThread,
        items: [
          { position: 0, role: 'user', text: 'Fix it.\nNow.', tool: null, at },
          { position: 1, role: 'assistant', text: '{}', tool: { id: 'c', name: 'bash' }, at },
        ],
        cursor: null,
      },
    },
    says: [
      'thread  t1',
      'title   Fix it',
      'loop    l-1, pass 1',
      'model   m (rehearsal)',
      'began   2026-01-02 03:04:05Z',
      '',
      '0 user',
      '  Fix it.',
      '  Now.',
      '',
      '1 assistant · bash',
      '  {}',
    ],
  },
  'thread search shows where the words stand': {
    argv: ['thread', 'search', 'database', 'timeout'],
    answers: {
      'GET /api/threads/search': page({
        ...{ thread: wholeThread, position: 7, role: 'tool', rank: 1 },
        excerpt: 'the \u0002database\u0003\nis away',
      }),
    },
    asks: { query: { q: 'database timeout', limit: '20' } },
    says: ['t1  Fix it  tool, message 7', '  the database is away'],
  },
  'provider list names models and address': {
    argv: ['provider', 'list'],
    answers: { 'GET /api/providers': page(wholeProvider) },
    says: [
      'NAME    KIND       MODELS  ADDRESS                  REGION  LAST USED',
      'claude  anthropic  a, b    https://api.example.com  eu      -',
    ],
  },
  'provider set changes what is named, and nothing else': {
    argv: ['provider', 'set', 'claude', '--models', 'a, b', '--no-allow-private'],
    answers: { 'PUT /api/providers/claude': wholeProvider },
    asks: { body: { models: ['a', 'b'], allowPrivate: false } },
    says: ['Changed claude at https://api.example.com.'],
  },
  'provider test says what the provider answered': {
    argv: ['provider', 'test', 'claude'],
    answers: {
      'POST /api/providers/claude/test': { ok: true, status: 200, latencyMs: 312, error: null },
    },
    says: ['✓ answered 200 after 312 ms'],
  },
  'provider test fails with the provider': {
    argv: ['provider', 'test', 'old'],
    answers: {
      'POST /api/providers/old/test': { ok: false, status: null, latencyMs: 5, error: 'refused' },
    },
    says: ['✗ no answer after 5 ms: refused'],
    code: 1,
  },
  'provider remove says that it is done': {
    argv: ['provider', 'remove', 'claude'],
    answers: { 'DELETE /api/providers/claude': {} },
    says: ['Removed claude and its key.'],
    json: { name: 'claude', removed: true },
  },
  'key create prints the key alone': {
    argv: ['key', 'create', 'ci', '--days', '30'],
    answers: { 'POST /api/keys': { ...wholeKey, key: 'trd_k1_secret' } },
    asks: { body: { name: 'ci', expiresInDays: 30 } },
    says: ['trd_k1_secret'],
  },
  'key create names the team': {
    argv: ['key', 'create', 'ci', '--team', 'search'],
    answers: { 'POST /api/keys': { ...wholeKey, team: 'search', key: 'trd_k1_secret' } },
    asks: { body: { name: 'ci', team: 'search' } },
    says: ['trd_k1_secret'],
  },
  'key set says of which team it is now': {
    argv: ['key', 'set', 'k1', '--team', 'search'],
    answers: { 'PUT /api/keys/k1': { ...wholeKey, team: 'search' } },
    asks: { body: { team: 'search' } },
    says: ['ci is of the team search.'],
  },
  'key set takes it out of its team': {
    argv: ['key', 'set', 'k1', '--no-team'],
    answers: { 'PUT /api/keys/k1': wholeKey },
    asks: { body: { team: null } },
    says: ['ci is of no team.'],
  },
  'key list shows no key': {
    argv: ['key', 'list'],
    answers: { 'GET /api/keys': page({ ...wholeKey, team: 'search', revokedAt: at }) },
    says: [
      'ID  NAME  TEAM    STATE    CREATED               EXPIRES  LAST USED',
      'k1  ci    search  revoked  2026-01-02 03:04:05Z  -        -',
    ],
  },
  'key revoke says that it is done': {
    argv: ['key', 'revoke', 'k1'],
    answers: { 'DELETE /api/keys/k1': wholeKey },
    says: ['Revoked k1.'],
    json: { id: 'k1', revoked: true },
  },
  'usage marks what is estimated or without a price, and sums up': {
    argv: ['usage', '--days', '30', '--loop', 'l-1'],
    answers: { 'GET /api/usage': [usageRow, usageRow] },
    asks: { query: { days: '30', loop: 'l-1' } },
    says: [
      'DAY         PROVIDER  MODEL  LOOP  CALLS    IN  CACHED  OUT       COST',
      '2026-01-02  claude    m      -         3  1.5M       0   42  ≥~$1.5000',
      '2026-01-02  claude    m      -         3  1.5M       0   42  ≥~$1.5000',
      '',
      '$3.0000 in all',
    ],
  },
  'login-link prints the link alone': {
    argv: ['login-link'],
    answers: { 'POST /api/login-links': { url: 'http://127.0.0.1/auth/x', expiresAt: at } },
    says: ['http://127.0.0.1/auth/x'],
  },
  'status fails when a role is down': {
    argv: ['status'],
    answers: { 'GET /api/status': statusAnswer },
    says: [
      'version  0.1.0',
      'since    2026-01-02 03:04:05Z',
      'url      http://a',
      'proxy    http://b',
      'roles    auth up  spool down  database up',
    ],
    code: 1,
  },
}

describe('commands', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance()
  })
  after(() => instance[Symbol.asyncDispose]())

  for (const [title, { argv, answers, asks, says, json, code = 0 }] of Object.entries(cases)) {
    test(title, async () => {
      Object.assign(instance.routes, answers)
      const ran = await run(instance.folder, argv)
      assert.deepEqual(ran.stdout.split('\n').slice(0, says.length), says, ran.stderr)
      assert.equal(ran.code, code)
      if (asks) assert.partialDeepStrictEqual(instance.asked.at(-1), asks)
    })

    test(`${title}: with --json, as a document`, async () => {
      Object.assign(instance.routes, answers)
      const ran = await run(instance.folder, ['--json', ...argv])
      assert.deepEqual(JSON.parse(ran.stdout), json ?? Object.values(answers).at(-1))
      assert.equal(ran.stderr, '')
      assert.equal(ran.code, code)
    })
  }

  for (const [argv, path, hint] of [
    [['loop', 'list'], '/api/loops', /loop run loop\.yaml/],
    [['sandbox', 'list'], '/api/sandboxes', /loop run/],
    [['thread', 'list'], '/api/threads', /loop run/],
    [['thread', 'search', 'x'], '/api/threads/search', /thread list/],
    [['provider', 'list'], '/api/providers', /provider add/],
    [['key', 'list'], '/api/keys', /key create/],
  ] as const) {
    test(`${argv.join(' ')} says how to fill an empty list`, async () => {
      instance.routes[`GET ${path}`] = page()
      const { stdout, code } = await run(instance.folder, [...argv])
      assert.match(stdout, hint)
      assert.equal(code, 0)
    })
  }

  test('a list that goes on says how to get the rest', async () => {
    instance.routes['GET /api/loops'] = { items: [loop], cursor: 'l-1' }
    assert.match((await run(instance.folder, ['loop', 'list'])).stderr, /--cursor l-1/)
  })

  test('provider add sends the key of its file, and prints it nowhere', async () => {
    const file = join(instance.folder, 'provider.key')
    writeFileSync(file, 'sk-secret\n')
    instance.routes['POST /api/providers'] = wholeProvider
    const argv = ['provider', 'add', 'claude', '--kind', 'anthropic', '--key-file', file]
    const more = ['--base-url', 'http://127.0.0.1:1', '--allow-private', '--models', 'a, b']
    const { stdout, stderr, code } = await run(instance.folder, [...argv, ...more])
    assert.equal(code, 0, stderr)
    assert.deepEqual(instance.asked.at(-1)?.body, {
      ...{ name: 'claude', kind: 'anthropic', key: 'sk-secret', allowPrivate: true },
      ...{ baseUrl: 'http://127.0.0.1:1', models: ['a', 'b'] },
    })
    assert.doesNotMatch(stdout + stderr, /sk-secret/)
  })

  test('provider add refuses a key of two lines before it sends anything', async () => {
    const file = join(instance.folder, 'two-lines.key')
    writeFileSync(file, 'one\ntwo\n')
    const before = instance.asked.length
    const argv = ['provider', 'add', 'claude', '--kind', 'anthropic', '--key-file', file]
    const { stderr, code } = await run(instance.folder, argv)
    assert.equal(code, 2)
    assert.match(stderr, /must hold one line/)
    assert.equal(instance.asked.length, before)
  })

  test('an id can not leave its place in the path', async () => {
    await run(instance.folder, ['loop', 'cancel', '../keys/k1'])
    assert.equal(instance.asked.at(-1)?.path, '/api/loops/..%2Fkeys%2Fk1/cancel')
  })
})
