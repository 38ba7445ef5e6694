import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Page } from '../spool/api.ts'
import { userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
} from './testing/stage.ts'

const said = 'words that are nobody else’s business'

describe('the list of calls', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ models: ['claude-opus-4-5', 'm-2'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          content: [{ type: 'text', text: said }],
          stop_reason: 'end_turn',
          usage: { input_tokens: 10, output_tokens: 3 },
        }),
      )
  })

  const list = async (query: string, claims: UserClaims = userClaims()) => {
    const response = await stage.admin('GET', `/api/calls?${query}`, undefined, claims)
    assert.equal(response.status, 200)
    return (await response.json()) as Page<Call>
  }
  const callFrom = async (claims: Parameters<typeof sandboxClaims>[0], model: string) => {
    const full = sandboxClaims({ model, ...claims })
    await using line = await startLine(stage, full.sub)
    const response = await fetch(new URL('/v1/messages', line.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${await stage.deps.tokenFor(full)}` },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: said }] }),
    })
    return response.text()
  }

  test('has a call as soon as its answer is there, with what it took and cost', async () => {
    await callFrom({ sub: 'sb-a', loop: 'loop-a', pass: 2, attempt: 3 }, 'claude-opus-4-5')
    const { items, cursor } = await list('loop=loop-a')
    const [call] = items
    assert.equal(cursor, null)
    assert.deepEqual(
      { ...call, id: '', beganAt: '', endedAt: '', firstByteMs: 0, timing: null },
      {
        ...{ id: '', org: 'default', loop: 'loop-a', pass: 2, attempt: 3, sandbox: 'sb-a' },
        ...{
          key: null,
          team: null,
          tags: {},
          endUser: null,
          provider: 'vendor',
          model: 'claude-opus-4-5',
          wire: 'messages',
        },
        ...{ isRehearsal: false, state: 'settled', status: 200 },
        usage: {
          inputTokens: 10,
          cachedTokens: 0,
          cacheWriteTokens: 0,
          outputTokens: 3,
          cacheWrite1hTokens: 0,
          reasoningTokens: 0,
          serverToolCalls: {},
        },
        ...{ serviceTier: null, costNanoUsd: 10 * 5_000 + 3 * 25_000, isPriced: true },
        ...{ stopReason: 'end_turn', toolCalls: 0, beganAt: '', endedAt: '', firstByteMs: 0 },
        timing: null,
        error: null,
      },
    )
    assert.ok(call!.firstByteMs! >= 0 && Date.parse(call!.endedAt!) >= Date.parse(call!.beganAt))
  })

  test('refuses a question that the database can not hold', async () => {
    for (const path of ['calls?loop=%00', 'calls?model=a%00', 'usage?loop=%00']) {
      assert.equal((await stage.admin('GET', `/api/${path}`)).status, 400, path)
    }
  })

  test('never holds what was said', async () => {
    const { items } = await list('')
    assert.ok(items.length > 0)
    assert.doesNotMatch(JSON.stringify(items), /business/)
  })

  test('shows a call that runs, a denied one and a refused one as what they are', async () => {
    stage.upstream.state.script = (_request, response) =>
      void response
        .writeHead(529, { 'content-type': 'application/json' })
        .end('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
    await callFrom({ sub: 'sb-states', loop: 'loop-states' }, 'm-2')
    await callFrom({ sub: 'sb-states', loop: 'loop-states', model: 'else' }, 'm-2')
    stage.upstream.state.script = () => {}
    const running = callFrom({ sub: 'sb-states', loop: 'loop-states' }, 'm-2')
    running.catch(() => {}) // It is cut at the end.
    await until(async () => (await list('loop=loop-states')).items.length === 3)
    const { items } = await list('loop=loop-states')
    assert.deepEqual(
      items.map(({ state, status, error, endedAt }) => [state, status, error, endedAt === null]),
      [
        ['begun', null, null, true],
        [
          'denied',
          403,
          'This model is not allowed here. The loop names else, and this call asks for m-2.',
          false,
        ],
        ['settled', 529, 'Overloaded', false],
      ],
    )
    for (const socket of stage.upstream.sockets) socket.destroy()
    await running.catch(() => {})
  })

  test('goes from page to page, each call once, whatever comes in between', async () => {
    const rows = Array.from({ length: 25 }, (_, i) => {
      const at = new Date(Date.UTC(2026, 0, 1, 0, 0, Math.floor(i / 4))).toISOString() // Four in each moment.
      return `('page-${i}', 'default', 'u', 'loop-page', 'm', 'chat', false, 'settled', '${at}')`
    })
    const columns = 'id, org, "user", loop, model, wire, is_rehearsal, state, began_at'
    await postgres.query(`insert into proxy.calls (${columns}) values ${rows.join(',')}`)
    const seen: Call[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null; pages += 1) {
      assert.ok(pages < 5)
      const page: Page<Call> = await list(`loop=loop-page&limit=7${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items)
      cursor = page.cursor
      await callFrom({ sub: 'sb-between', loop: 'loop-page' }, 'm-2')
    }
    assert.equal(new Set(seen.map(({ id }) => id)).size, 25)
    assert.equal(seen.length, 25)
    const times = seen.map(({ beganAt }) => beganAt)
    assert.deepEqual(times, times.toSorted().reverse())
  })

  for (const [query, expected] of [
    ['loop=loop-f', 4],
    ['loop=loop-f&pass=2', 2],
    ['loop=loop-f&pass=2&attempt=2', 1],
    ['sandbox=sb-f1', 2],
    ['loop=loop-f&model=m-2', 1],
    ['loop=nobody', 0],
  ] as const) {
    test(`of ${query} has ${expected}`, async () => {
      if ((await list('loop=loop-f')).items.length === 0) {
        await callFrom({ sub: 'sb-f1', loop: 'loop-f', pass: 1 }, 'claude-opus-4-5')
        await callFrom({ sub: 'sb-f1', loop: 'loop-f', pass: 1 }, 'm-2')
        await callFrom({ sub: 'sb-f2', loop: 'loop-f', pass: 2 }, 'claude-opus-4-5')
        await callFrom({ sub: 'sb-f3', loop: 'loop-f', pass: 2, attempt: 2 }, 'claude-opus-4-5')
      }
      assert.equal((await list(query)).items.length, expected)
    })
  }

  for (const query of [
    'limit=0',
    'limit=501',
    'limit=x',
    'pass=-1',
    'cursor=junk',
    'cursor=1_a%27%20or%201',
    'loop=',
    'loop=a&loop=b',
    'since=x',
  ]) {
    test(`is not given for ${query}`, async () => {
      const response = await stage.admin('GET', `/api/calls?${query}`)
      assert.equal(response.status, 400)
      assert.equal(((await response.json()) as { code: string }).code, 'usage/invalid')
    })
  }

  test('is empty for another organisation, and refused to who is no person', async () => {
    assert.deepEqual(await list('', userClaims({ org: 'elsewhere' })), { items: [], cursor: null })
    for (const claims of [{ kind: 'service', sub: 'threads' } as const, sandboxClaims()]) {
      const response = await stage.admin('GET', '/api/calls', undefined, claims)
      assert.equal(response.status, 403)
    }
    const asKey = await fetch(new URL('/api/calls', stage.adminUrl), {
      headers: { authorization: `Bearer ${clientKey}` },
    })
    assert.equal(asKey.status, 401)
  })

  test('is an error and never a part of itself while PostgreSQL is away', async () => {
    await postgres.kill()
    const response = await stage.admin('GET', '/api/calls')
    assert.ok(response.status >= 500)
    assert.doesNotMatch(await response.text(), /items/)
    await postgres.start()
    await until(async () => (await stage.admin('GET', '/api/calls')).status === 200, 20_000)
  })
})
