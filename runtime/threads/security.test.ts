import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Claims } from '#kernel/tokens.ts'
import type { Page } from '../spool/api.ts'
import { createTestDeps, serviceClaims, type TestDeps, userClaims } from '../testing/deps.ts'
import { startPostgres } from '../testing/postgres.ts'
import type { NewTurn, StoredTurns, Thread, ThreadWithMessages } from './api.ts'
import { startThreads } from './role.ts'
import { postTurns } from './testing.ts'

describe('who may read and write threads', () => {
  const owned = new AsyncDisposableStack()
  let deps: TestDeps
  let url: URL

  before(async () => {
    const postgres = owned.use(await startPostgres())
    deps = owned.use(await createTestDeps('threads', { postgres }))
    url = owned.use(await startThreads({ port: 0, retentionMs: 1e12, sweepMs: 60_000 }, deps)).url
  })
  after(() => owned.disposeAsync())

  const ask = async (claims: Claims, path: string, body?: unknown) =>
    fetch(new URL(path, url), {
      headers: {
        authorization: `Bearer ${await deps.tokenFor(claims)}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    })
  const read = async <T>(path: string, claims: Claims = userClaims()) => {
    const response = await ask(claims, path)
    assert.equal(response.status, 200, await response.clone().text())
    return (await response.json()) as T
  }
  const send = async (claims: Claims, turn: unknown) =>
    postTurns(url, await deps.tokenFor(claims), [turn])
  const store = async (turn: NewTurn) => {
    const response = await send(serviceClaims('proxy'), turn)
    assert.equal(response.status, 200, await response.clone().text())
    return ((await response.json()) as StoredTurns).turns[0]!
  }
  const newTurn = (session: string, text: string, more: Partial<NewTurn> = {}): NewTurn => ({
    call: randomUUID(),
    org: 'default',
    user: 'owner',
    loop: null,
    pass: null,
    attempt: null,
    session,
    wire: 'chat',
    model: 'm',
    isRehearsal: true,
    at: new Date().toISOString(),
    request: JSON.stringify({ messages: [{ role: 'user', content: text }] }),
    answer: { text: 'An answer.', toolCalls: [] },
    ...more,
  })

  test('another organisation sees nothing', async () => {
    const { thread } = await store(newTurn('private', 'Hello.'))
    const stranger = userClaims({ sub: 'eve', org: 'other' })
    assert.equal((await ask(stranger, `/api/threads/${thread}`)).status, 404)
    assert.deepEqual((await read<Page<Thread>>('/api/threads', stranger)).items, [])
    assert.deepEqual(
      (await read<Page<Thread>>(`/api/threads?cursor=${thread}`, stranger)).items,
      [],
    )
    assert.deepEqual((await read<Page<Thread>>('/api/threads/search?q=answer', stranger)).items, [])
  })

  test('a member reads own threads alone', async () => {
    const mine = await store(newTurn('mine', 'Hello.', { user: 'ann', loop: 'members' }))
    const theirs = await store(newTurn('theirs', 'Hello.', { user: 'bob', loop: 'members' }))
    const ann = userClaims({ sub: 'ann', role: 'member', channel: 'session' })
    const listed = await read<Page<Thread>>('/api/threads?loop=members', ann)
    assert.deepEqual(
      listed.items.map(({ id }) => id),
      [mine.thread],
    )
    const hits = await read<Page<{ thread: Thread }>>('/api/threads/search?q=answer', ann)
    assert.deepEqual([...new Set(hits.items.map(({ thread }) => thread.user))], ['ann'])
    assert.equal((await ask(ann, `/api/threads/${mine.thread}`)).status, 200)
    assert.equal((await ask(ann, `/api/threads/${theirs.thread}`)).status, 403)
  })

  for (const [title, claims, status] of [
    ['a person', userClaims(), 403],
    ['another role', serviceClaims('spool'), 403],
  ] as [string, Claims, number][]) {
    test(`a turn from ${title} is refused`, async () => {
      assert.equal((await send(claims, newTurn('refused', 'Hello.'))).status, status)
    })
  }

  test('nobody reads without a token, and a role is no reader', async () => {
    assert.equal((await fetch(new URL('/api/threads', url))).status, 401)
    assert.equal((await ask(serviceClaims('proxy'), '/api/threads')).status, 403)
  })

  for (const path of [
    '/api/threads?limit=0',
    '/api/threads?limit=x',
    '/api/threads?colour=red',
    '/api/threads?loop=a&loop=b',
    '/api/threads/search',
    '/api/threads/search?q=',
    '/api/threads/search?q=x&cursor=9999999',
    '/api/threads/x?cursor=-5',
  ]) {
    test(`${path} is refused with what is wrong`, async () => {
      const response = await ask(userClaims(), path)
      assert.equal(response.status, 400)
      const { code, problems } = (await response.json()) as { code: string; problems: unknown[] }
      assert.equal(code, 'threads/invalid')
      assert.equal(problems.length, 1)
    })
  }

  test('a turn of another shape is refused', async () => {
    for (const turn of [{ call: 'x' }, null, 'a', []]) {
      const response = await send(serviceClaims('proxy'), turn)
      assert.equal(response.status, 400)
      assert.equal(((await response.json()) as { code: string }).code, 'threads/invalid')
    }
  })

  test('an id that nobody has is absent', async () => {
    for (const id of ['never', '%00', "'"]) {
      assert.equal((await ask(userClaims(), `/api/threads/${id}`)).status, 404)
    }
  })

  test('hostile text is stored, in every field that can hold it', async () => {
    const bad = `a\0b\ud800c \u0002 ' "; drop table threads.threads; --`
    const turn = newTurn('bad\0\udfff', bad, {
      call: `bad\0${'x'.repeat(5_000)}`,
      loop: 'l\0',
      model: 'm\ud800',
      answer: { text: bad, toolCalls: [{ id: 'i\0', name: 'n\0', input: '\0' }] },
    })
    const { thread } = await store(turn)
    const { items } = await read<ThreadWithMessages>(`/api/threads/${thread}`)
    const kept = `a\ufffdb\ufffdc \u0002 ' "; drop table threads.threads; --`
    assert.deepEqual(
      items.map(({ text, tool }) => [text, tool?.name]),
      [
        [kept, undefined],
        [kept, undefined],
        ['\ufffd', 'n\ufffd'],
      ],
    )
  })
})
