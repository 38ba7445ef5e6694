import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Claims } from '#kernel/tokens.ts'
import type { Page } from '../spool/api.ts'
import { createTestDeps, serviceClaims, type TestDeps, userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { NewTurn, StoredTurn, StoredTurns, Thread, ThreadWithMessages } from './api.ts'
import { startThreads } from './role.ts'
import { postTurns } from './testing.ts'
import { turnLinesType } from './turn-lines.ts'

const dayMs = 86_400_000
type Said = { role: string; content: string }

describe('threads', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let deps: TestDeps
  let url: URL
  let clock = Date.parse('2026-01-01T00:00:00Z')

  before(async () => {
    postgres = owned.use(await startPostgres())
    deps = owned.use(await createTestDeps('threads', { postgres, now: () => new Date(clock) }))
    const config = { port: 0, retentionMs: 30 * dayMs, sweepMs: 50 }
    url = owned.use(await startThreads(config, deps)).url
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
  const sendAll = async (turns: readonly NewTurn[]) =>
    postTurns(url, await deps.tokenFor(serviceClaims('proxy')), turns)
  const send = (turn: NewTurn) => sendAll([turn])
  const store = async (turn: NewTurn) => {
    const response = await send(turn)
    assert.equal(response.status, 200, await response.clone().text())
    return ((await response.json()) as StoredTurns).turns[0]!
  }
  const threadOf = (id: string | null, query = '') =>
    read<ThreadWithMessages>(`/api/threads/${id}${query}`)
  const countOf = async (thread: string | null) => {
    const text = 'select count(*)::int from threads.messages where thread = $1'
    return Number((await postgres.query(text, [thread]))[0]!.count)
  }
  const textsOf = async (id: string | null) => (await threadOf(id)).items.map(({ text }) => text)

  const newTurn = (
    session: string,
    messages: Said[],
    answer: string,
    more: Partial<NewTurn> = {},
  ): NewTurn => ({
    call: randomUUID(),
    org: 'default',
    user: 'owner',
    loop: 'l1',
    pass: 1,
    attempt: 1,
    session,
    wire: 'messages',
    model: 'rehearsal/demo',
    isRehearsal: true,
    at: new Date(clock).toISOString(),
    request: JSON.stringify({ system: 'You are an agent.', messages }),
    answer: { text: answer, toolCalls: [] },
    ...more,
  })
  /** The n-th call of a conversation, which holds all that was said before. */
  const conversation = (n: number): Said[] =>
    Array.from({ length: 2 * n - 1 }, (_, i) =>
      i % 2
        ? { role: 'assistant', content: `answer ${(i + 1) / 2}` }
        : { role: 'user', content: `ask ${i / 2 + 1}` },
    )
  const nthTurn = (session: string, n: number, more?: Partial<NewTurn>) =>
    newTurn(session, conversation(n), `answer ${n}`, more)

  test('a turn becomes a thread that shows what was said', async () => {
    const { thread, added } = await store(
      newTurn('first', [{ role: 'user', content: 'Fix it.' }], 'Done.'),
    )
    assert.equal(added, 3)
    const { items, createdAt, updatedAt, id, ...rest } = await threadOf(thread)
    assert.equal(id, thread)
    assert.equal(createdAt, updatedAt)
    assert.deepEqual(rest, {
      org: 'default',
      user: 'owner',
      loop: 'l1',
      pass: 1,
      attempt: 1,
      model: 'rehearsal/demo',
      isRehearsal: true,
      title: 'Fix it.',
      messages: 3,
      cursor: null,
    })
    assert.deepEqual(
      items.map(({ role, text, position }) => [position, role, text]),
      [
        [0, 'system', 'You are an agent.'],
        [1, 'user', 'Fix it.'],
        [2, 'assistant', 'Done.'],
      ],
    )
  })

  test('the same call twice changes nothing', async () => {
    const turn = newTurn('twice', [{ role: 'user', content: 'Once.' }], 'Yes.')
    const first = await store(turn)
    assert.deepEqual(await store(turn), { thread: first.thread, added: 0, isRepeat: true })
    const other = { ...turn, request: '{}', answer: { text: 'Other.', toolCalls: [] } }
    assert.equal((await store(other)).isRepeat, true)
    assert.equal((await threadOf(first.thread)).messages, 3)
  })

  test('a hundred calls of one conversation store each message once', async () => {
    const ids = new Set<string | null>()
    let added = 0
    for (let n = 1; n <= 100; n += 1) {
      const stored = await store(nthTurn('long', n))
      ids.add(stored.thread)
      added += stored.added
    }
    const [thread] = ids
    assert.equal(ids.size, 1)
    assert.equal(added, 201)
    assert.equal(await countOf(thread!), 201)
    assert.equal((await threadOf(thread!)).messages, 201)
  })

  test('turns that come twice, late, or at the same time store each message once', async () => {
    const stored: StoredTurn[] = []
    for (const together of [
      [5, 2, 9, 1, 9],
      [3, 7, 10, 4, 8, 6],
    ]) {
      stored.push(...(await Promise.all(together.map((n) => store(nthTurn('shuffled', n))))))
    }
    const threads = new Set(stored.map(({ thread }) => thread))
    assert.equal(threads.size, 1)
    const { items } = await threadOf(stored[0]!.thread)
    assert.deepEqual(
      items.map(({ position }) => position),
      Array.from({ length: 21 }, (_, i) => i),
    )
  })

  const storeAll = async (turns: NewTurn[]) => {
    const response = await sendAll(turns)
    assert.equal(response.status, 200, await response.clone().text())
    return ((await response.json()) as StoredTurns).turns
  }

  test('turns of several conversations that come at once are placed as if they came one by one', async () => {
    const name = (session: string) => ({ a: `${session}-a`, b: `${session}-b` })
    const turnsOf = ({ a, b }: { a: string; b: string }) => [
      nthTurn(a, 1),
      nthTurn(b, 1),
      nthTurn(a, 2),
      newTurn(a, conversation(2), 'another answer'),
      nthTurn(b, 3),
      nthTurn(a, 3),
      nthTurn(b, 2),
    ]
    const together = await storeAll(turnsOf(name('together')))
    const alone: StoredTurn[] = []
    for (const turn of turnsOf(name('alone'))) alone.push(await store(turn))
    const shape = (stored: StoredTurn[]) => {
      const ids = [...new Set(stored.map(({ thread }) => thread))]
      return stored.map(({ thread, ...rest }) => ({ ...rest, thread: ids.indexOf(thread) }))
    }
    assert.deepEqual(shape(together), shape(alone))
    for (const [at, { thread }] of together.entries()) {
      assert.deepEqual(await textsOf(thread), await textsOf(alone[at]!.thread))
    }
  })

  test('the same call twice at once, or again among others, is stored once', async () => {
    const [one, two] = [nthTurn('again', 1), nthTurn('again', 2)]
    assert.deepEqual(
      (await storeAll([one, one])).map(({ added, isRepeat }) => [added, isRepeat]),
      [
        [3, false],
        [0, true],
      ],
    )
    assert.deepEqual(
      (await storeAll([two, one])).map(({ added, isRepeat }) => [added, isRepeat]),
      [
        [2, false],
        [0, true],
      ],
    )
  })

  test('where one of many turns is not as it should be, none is stored', async () => {
    const turns = [nthTurn('whole', 1), { ...nthTurn('whole', 2), at: 'yesterday' }]
    const response = await sendAll(turns)
    assert.equal(response.status, 400)
    assert.equal((await store(nthTurn('whole', 1))).added, 3)
  })

  test('more than 256 turns at once are refused', async () => {
    const turns = Array.from({ length: 257 }, () => nthTurn('many', 1))
    const response = await sendAll(turns)
    assert.equal(response.status, 400)
  })

  test('more than eight turns at once are refused for now', async () => {
    const headers = {
      authorization: `Bearer ${await deps.tokenFor(serviceClaims('proxy'))}`,
      'content-type': turnLinesType,
    }
    let refused = 0
    const open = Array.from({ length: 16 }, () =>
      request(new URL('/internal/turns', url), { method: 'POST', headers })
        .on('error', () => {}) // Cut below.
        .on('response', ({ statusCode }) => {
          if (statusCode === 503) refused += 1
        }),
    )
    for (const one of open) one.write('{')
    for (let tried = 0; tried < 500 && refused < 8; tried += 1) await sleep(20)
    assert.equal(refused, 8)
    assert.equal((await send(nthTurn('crowded', 1))).status, 503)
    for (const one of open) one.destroy()
    let { status } = await send(nthTurn('crowded', 1))
    for (let tried = 0; tried < 100 && status !== 200; tried += 1) {
      await sleep(20)
      status = (await send(nthTurn('crowded', 1))).status
    }
    assert.equal(status, 200)
  })

  test('a side request leaves the conversation as it is', async () => {
    const main = await store(nthTurn('side', 1))
    const messages = [{ role: 'user', content: 'ask 1' }]
    const asked = JSON.stringify({ system: 'Write a title.', messages })
    const title = await store(newTurn('side', messages, 'A title', { request: asked }))
    assert.notEqual(title.thread, main.thread)
    assert.equal((await store(nthTurn('side', 2))).thread, main.thread)
    assert.deepEqual(await textsOf(main.thread), [
      'You are an agent.',
      'ask 1',
      'answer 1',
      'ask 2',
      'answer 2',
    ])
  })

  test('a side request that comes first leaves the conversation as it is', async () => {
    const messages = [{ role: 'user', content: 'ask 1' }]
    const asked = JSON.stringify({ system: 'Write a title.', messages })
    await store(newTurn('side-first', messages, 'A title', { request: asked }))
    const main = await store(nthTurn('side-first', 1))
    assert.deepEqual(await textsOf(main.thread), ['You are an agent.', 'ask 1', 'answer 1'])
  })

  test('another answer to the same request is a thread that reads its start from the first', async () => {
    const first = await store(nthTurn('forked', 2))
    const second = await store(newTurn('forked', conversation(2), 'another answer'))
    assert.notEqual(second.thread, first.thread)
    assert.equal(second.added, 1)
    const more = [
      ...conversation(2),
      { role: 'assistant', content: 'another answer' },
      { role: 'user', content: 'on' },
    ]
    const third = await store(newTurn('forked', more, 'the end'))
    assert.deepEqual([third.thread, third.added], [second.thread, 2])
    const fourth = await store(newTurn('forked', more, 'another end'))
    const start = ['You are an agent.', 'ask 1', 'answer 1', 'ask 2']
    assert.deepEqual(await textsOf(first.thread), [...start, 'answer 2'])
    assert.deepEqual(await textsOf(third.thread), [...start, 'another answer', 'on', 'the end'])
    assert.deepEqual(await textsOf(fourth.thread), [
      ...start,
      'another answer',
      'on',
      'another end',
    ])
  })

  test('a client that changes its start with each call stores no more than 200 threads', async () => {
    for (let n = 0; n < 205; n += 1) {
      const stored = await store(
        newTurn('restless', [{ role: 'user', content: `start ${n}` }], 'x'),
      )
      assert.equal(stored.thread === null, n >= 200)
    }
  })

  test('text that fills the search index is stored', async () => {
    const unique = Array.from({ length: 80_000 }, (_, i) => `${i.toString(36)}ing`).join(' ')
    const signs = Array.from({ length: 60_000 }, (_, i) =>
      String.fromCodePoint(0x4e00 + (i % 20_000)),
    ).join('')
    for (const [name, text] of Object.entries({ unique, signs, joined: 'x'.repeat(300_000) })) {
      assert.equal((await store(newTurn(name, [{ role: 'user', content: text }], text))).added, 3)
    }
  })

  test('a request that is no JSON is stored with its answer', async () => {
    const { thread } = await store(
      newTurn('broken', [], 'Still here.', { request: '{"messages": [{' }),
    )
    assert.deepEqual(await textsOf(thread), ['Still here.'])
    const empty = newTurn('nothing', [], '', { request: '' })
    assert.deepEqual(await store(empty), { thread: null, added: 0, isRepeat: false })
    assert.equal((await store(empty)).isRepeat, true)
  })

  test('a request of 32 MiB is stored', async () => {
    const content = 'word '.repeat(50_000)
    const messages = Array.from({ length: 125 }, (_, i) => ({
      role: 'user',
      content: `${i} ${content}`,
    }))
    const { thread, added } = await store(newTurn('huge', messages, 'Read.'))
    assert.equal(added, 127)
    const page = await threadOf(thread)
    assert.ok(page.items.length < 20, 'a page is bounded in bytes')
    assert.equal(
      (await threadOf(thread, `?cursor=${page.cursor}`)).items[0]!.position,
      page.items.length,
    )
  })

  test('messages come in pages', async () => {
    const { thread } = await store(nthTurn('paged', 10))
    const texts: string[] = []
    let cursor: string | null = null
    do {
      const page: ThreadWithMessages = await threadOf(
        thread,
        `?limit=8${cursor ? `&cursor=${cursor}` : ''}`,
      )
      assert.ok(page.items.length <= 8)
      texts.push(...page.items.map(({ text }) => text))
      cursor = page.cursor
    } while (cursor)
    assert.equal(texts.length, 21)
    assert.equal(new Set(texts).size, 21)
  })

  test('threads are listed newest first, by loop, in pages', async () => {
    const ids: (string | null)[] = []
    for (let n = 0; n < 5; n += 1) {
      clock += 1_000
      ids.unshift((await store(nthTurn(`listed-${n}`, 1, { loop: 'listed' }))).thread)
    }
    const first = await read<Page<Thread>>('/api/threads?loop=listed&limit=3')
    const rest = await read<Page<Thread>>(`/api/threads?loop=listed&limit=3&cursor=${first.cursor}`)
    assert.deepEqual(
      [...first.items, ...rest.items].map(({ id }) => id),
      ids,
    )
    assert.equal(rest.cursor, null)
    assert.ok((await read<Page<Thread>>('/api/threads?limit=200')).items.length > 5)
  })

  test('while PostgreSQL is away turns are refused, and stored when it is back', async () => {
    const turn = nthTurn('away', 1)
    await postgres.kill()
    for (const response of [await send(turn), await ask(userClaims(), '/api/threads')]) {
      assert.equal(response.status, 503)
      assert.equal(((await response.json()) as { code: string }).code, 'threads/unavailable')
    }
    await postgres.start()
    assert.equal((await store(turn)).added, 3)
  })

  test('a session is deleted when its newest thread is old enough, and not before', async () => {
    const old = await store(nthTurn('old', 1))
    const start = await store(nthTurn('alive', 1))
    clock += 29 * dayMs
    const fork = await store(newTurn('alive', conversation(1), 'another answer'))
    clock += 2 * dayMs
    for (let tried = 0; tried < 200 && (await countOf(old.thread)) > 0; tried += 1) await sleep(20)
    assert.equal((await ask(userClaims(), `/api/threads/${old.thread}`)).status, 404)
    assert.equal(await countOf(old.thread), 0)
    assert.deepEqual(await textsOf(fork.thread), ['You are an agent.', 'ask 1', 'another answer'])
    assert.equal((await threadOf(start.thread)).messages, 3)
  })
})
