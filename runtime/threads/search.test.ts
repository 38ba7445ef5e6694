import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from '../spool/api.ts'
import { createTestDeps, serviceClaims, userClaims } from '../testing/deps.ts'
import { startPostgres } from '../testing/postgres.ts'
import type { NewTurn, SearchHit } from './api.ts'
import { startThreads } from './role.ts'
import { postTurns } from './testing.ts'

const said = {
  code: 'Look at parseDuration in runtime/kernel/units.ts, it returns Array<string>.',
  snake: 'The function parse_duration_ms is slow.',
  english: 'The tests were running for hours.',
  german: 'Die Größe der Datei ist falsch.',
  russian: 'Привет, это тест.',
  chinese: '数据库连接失败了',
  twice: 'budget budget budget budget',
  once: 'one budget in a long sentence of many other words that say nothing about it at all',
  late: `${'filler '.repeat(12_000)}needle`,
  marked: 'before \u0002\u001b[31m between \u0003 lighthouse',
}

describe('search', () => {
  const owned = new AsyncDisposableStack()
  let url: URL
  let reader: Record<string, string>

  before(async () => {
    const postgres = owned.use(await startPostgres())
    const deps = owned.use(await createTestDeps('threads', { postgres }))
    url = owned.use(await startThreads({ port: 0, retentionMs: 1e12, sweepMs: 60_000 }, deps)).url
    reader = { authorization: `Bearer ${await deps.tokenFor(userClaims())}` }
    const proxy = await deps.tokenFor(serviceClaims('proxy'))
    for (const [name, text] of Object.entries(said)) {
      const turn: NewTurn = {
        call: name,
        org: 'default',
        user: 'owner',
        loop: null,
        pass: null,
        attempt: null,
        session: name,
        wire: 'chat',
        model: 'm',
        isRehearsal: true,
        at: new Date().toISOString(),
        request: JSON.stringify({ messages: [{ role: 'user', content: text }] }),
        answer: { text: '', toolCalls: [] },
      }
      const response = await postTurns(url, proxy, [turn])
      assert.equal(response.status, 200)
    }
  })
  after(() => owned.disposeAsync())

  const search = async (q: string, more = '') => {
    const path = `/api/threads/search?q=${encodeURIComponent(q)}${more}`
    const response = await fetch(new URL(path, url), { headers: reader })
    assert.equal(response.status, 200, await response.clone().text())
    return (await response.json()) as Page<SearchHit>
  }
  const nameOf = ({ thread }: SearchHit) =>
    Object.entries(said).find(([, text]) => text.startsWith(thread.title.slice(0, 6)))?.[0]

  for (const [query, found] of [
    ['parseDuration', ['code']],
    ['PARSEDURATION', ['code']],
    ['units.ts', ['code']],
    ['kernel/units.ts', ['code']],
    ['runtime/kernel', ['code']],
    ['Array<string>', ['code']],
    ['parse_duration_ms', ['snake']],
    ['parse_duration', ['snake']],
    ['run test', ['english']],
    ['"were running"', ['english']],
    ['"hours running"', []],
    ['Größe', ['german']],
    ['grösse', []],
    ['привет', ['russian']],
    ['连接失败', ['chinese']],
    ['失连', []],
    ['slow OR größe', ['german', 'snake']],
    ['budget -sentence', ['twice']],
    ['nowhere', []],
  ] as const) {
    test(`of ${query} finds ${found.join(' and ') || 'nothing'}`, async () => {
      const { items } = await search(query)
      assert.deepEqual(items.map(nameOf).sort(), [...found])
    })
  }

  test('puts first what says it more', async () => {
    const { items } = await search('budget')
    assert.deepEqual(items.map(nameOf), ['twice', 'once'])
    assert.ok(items[0]!.rank > items[1]!.rank)
  })

  test('marks what it found', async () => {
    for (const [query, expected] of [
      ['parseDuration', 'Look at <parseDuration> in'],
      ['units.ts', 'kernel/<units>.<ts>,'],
      ['tests', '<tests> were'],
      ['Größe', '<Größe> der'],
    ] as const) {
      const { excerpt } = (await search(query)).items[0]!
      const shown = excerpt.replaceAll('\u0002', '<').replaceAll('\u0003', '>')
      assert.ok(shown.includes(expected), shown)
    }
  })

  test('lets no mark and no control character of the text through', async () => {
    const { excerpt } = (await search('lighthouse')).items[0]!
    assert.equal(excerpt, 'before [31m between  \u0002lighthouse\u0003')
  })

  test('finds what stands late in a long text', async () => {
    assert.deepEqual((await search('needle')).items.map(nameOf), ['late'])
  })

  test('comes in pages', async () => {
    const first = await search('budget', '&limit=1')
    const second = await search('budget', `&limit=1&cursor=${first.cursor}`)
    assert.deepEqual([...first.items, ...second.items].map(nameOf), ['twice', 'once'])
    assert.deepEqual((await search('budget', `&limit=1&cursor=2`)).items, [])
  })

  for (const query of [
    "'",
    '"',
    '""',
    '!!!',
    '&|!()',
    ':*',
    '<->',
    '\\',
    '%',
    '-',
    'a:b',
    "x' OR 1=1",
    '\0',
    '🙂',
    'the',
  ]) {
    test(`takes ${JSON.stringify(query)} for text`, async () => {
      assert.ok(Array.isArray((await search(query)).items))
    })
  }
})
