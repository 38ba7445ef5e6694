import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { userClaims } from '../../testing/deps.ts'
import { startPostgres } from '../../testing/postgres.ts'
import type { Budget, BudgetUse } from '../api.ts'
import { type Stage, startStage } from '../testing/stage.ts'

const member = userClaims({ sub: 'mia', role: 'member', channel: 'session' })
const stranger = userClaims({ sub: 'sam', org: 'south', channel: 'session' })
const daily = {
  ...{ name: 'daily', level: 'org', unit: 'usd', amount: 5_000_000_000, window: 'day' },
  zone: 'Europe/Berlin',
}

describe('the routes of budgets', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
  })
  after(() => owned.disposeAsync())

  type Claims = Parameters<Stage['admin']>[3]
  async function ask<T>(method: string, path: string, body?: unknown, claims?: Claims) {
    const response = await stage.admin(method, `/api/budgets${path}`, body, claims)
    const text = await response.text()
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T }
  }
  type Refused = { code: string; problems?: { path: string }[] }

  test('an owner adds one, and it comes back as it was meant', async () => {
    const made = await ask<Budget>('POST', '', daily)
    assert.equal(made.status, 201)
    assert.partialDeepStrictEqual(made.body, {
      ...daily,
      ...{ subject: null, model: null, clip: 'off', enforce: 'refuse', enabled: true },
      ...{ raise: null, madeBy: 'owner' },
    })
    assert.deepEqual((await ask('GET', '/daily', undefined, member)).body, made.body)
    const again = await ask<Refused>('POST', '', daily)
    assert.deepEqual([again.status, again.body.code], [409, 'budget/exists'])
  })

  test('what is used begins with nothing, in the window of the moment', async () => {
    const { body } = await ask<BudgetUse>('GET', '/daily/use', undefined, member)
    const { from, resetsAt, ...rest } = body
    const amount = daily.amount
    assert.deepEqual(rest, {
      ...{ name: 'daily', unit: 'usd', amount, used: 0, leased: 0, reserved: 0, left: amount },
    })
    assert.ok(Date.parse(from!) <= Date.now() && Date.now() < Date.parse(resetsAt!))
  })

  test('a member reads, and changes nothing', async () => {
    const tries = [
      ['POST', '', { ...daily, name: 'mine' }],
      ['PUT', '/daily', { amount: 1 }],
      ['POST', '/daily/raise', { amount: 9e9, until: new Date(Date.now() + 1e6).toISOString() }],
      ['DELETE', '/daily', undefined],
    ] as const
    for (const [method, path, body] of tries)
      assert.equal((await ask(method, path, body, member)).status, 403)
    assert.equal((await ask('GET', '', undefined, member)).status, 200)
  })

  test('in another organisation it is not there', async () => {
    const tries = [
      ['GET', '/daily', undefined],
      ['GET', '/daily/use', undefined],
      ['PUT', '/daily', { amount: 1 }],
      ['POST', '/daily/raise', { amount: 9e9, until: new Date(Date.now() + 1e6).toISOString() }],
      ['DELETE', '/daily', undefined],
    ] as const
    for (const [method, path, body] of tries) {
      const refused = await ask<Refused>(method, path, body, stranger)
      assert.deepEqual([refused.status, refused.body.code], [404, 'budget/absent'])
    }
    const list = await ask<{ items: Budget[] }>('GET', '', undefined, stranger)
    assert.deepEqual(list.body.items, [])
  })

  test('a change replaces what it names, and a raise ends with the word', async () => {
    const changed = await ask<Budget>('PUT', '/daily', {
      amount: 7,
      clip: 'allow',
      clipTokensMin: 9,
    })
    assert.partialDeepStrictEqual(changed.body, { amount: 7, clip: 'allow', clipTokensMin: 9 })
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const raised = await ask<Budget>('POST', '/daily/raise', { amount: 70, until })
    assert.deepEqual(raised.body.raise, { amount: 70, until })
    assert.equal((await ask<BudgetUse>('GET', '/daily/use')).body.amount, 70)
    assert.equal((await ask<Budget>('PUT', '/daily', { raise: null })).body.raise, null)
  })

  const wrong: [string, object, string][] = [
    ['a zone that is none', { zone: 'Mars/Base' }, 'zone'],
    ['half a nano-dollar', { amount: 0.5 }, 'amount'],
    ['less than nothing', { amount: -1 }, 'amount'],
    ['more than can be counted', { amount: 2 ** 53 }, 'amount'],
    ['a level without its subject', { level: 'key' }, 'subject'],
    ['a subject of the organisation', { subject: 'x' }, 'subject'],
    ['two stars', { model: 'a*b*' }, 'model'],
    ['a clip of requests', { unit: 'requests', clip: 'allow' }, 'clip'],
    ['a key that is unknown', { limit: 3 }, 'limit'],
  ]
  for (const [title, changes, path] of wrong) {
    test(`${title} is refused, and the field is named`, async () => {
      const refused = await ask<Refused>('POST', '', { ...daily, name: 'wrong', ...changes })
      assert.deepEqual([refused.status, refused.body.code], [400, 'budget/invalid'])
      assert.deepEqual(
        new Set(refused.body.problems!.map((problem) => problem.path)),
        new Set([path]),
      )
    })
  }

  test('a list comes by pages, in the order of names', async () => {
    for (const name of ['a-1', 'a-2', 'a-3'])
      await ask('POST', '', { ...daily, name, level: 'user', subject: name })
    const names: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body }: { body: { items: Budget[]; cursor: string | null } } = await ask(
        'GET',
        `?limit=2&cursor=${cursor}`,
      )
      names.push(...body.items.map(({ name }) => name))
      cursor = body.cursor
    }
    assert.deepEqual(names, ['a-1', 'a-2', 'a-3', 'daily'])
    assert.equal((await ask('GET', '?limit=0')).status, 400)
  })

  test('for the same one there are sixteen at most', async () => {
    const same = { ...daily, level: 'team', subject: 'red' }
    for (let i = 0; i < 16; i += 1)
      assert.equal((await ask('POST', '', { ...same, name: `red-${i}` })).status, 201)
    const refused = await ask<Refused>('POST', '', { ...same, name: 'red-16' })
    assert.deepEqual([refused.status, refused.body.code], [409, 'budget/full'])
  })

  test('a removed one is gone', async () => {
    assert.equal((await ask('DELETE', '/daily')).status, 204)
    assert.equal((await ask('GET', '/daily')).status, 404)
    assert.equal((await ask('DELETE', '/daily')).status, 404)
  })
})
