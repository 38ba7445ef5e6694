import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { DatabasePool } from 'slonik'
import { openDatabase } from '#kernel/db.ts'
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import type { NewBudget } from '../api.ts'
import { Refusal } from '../refusal.ts'
import { until } from '../testing/stage.ts'
import { bookHolds } from './booking.ts'
import { beginEpoch, purge } from './budget-store.ts'
import {
  addBudget,
  changeBudget,
  raiseBudget,
  readBudget,
  readUse,
  removeBudget,
} from './keep-budgets.ts'
import { createLeaseStore } from './lease-store.ts'
import type { LeaseAnswer, LeaseAsk } from './leases.ts'
import { flat, quiet, spenderOf } from './testing/bank.ts'
import { startHolder } from './testing/holder.ts'

const owner = { org: 'north', user: 'olga' }
const dayMs = 86_400_000

describe('budgets in PostgreSQL', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let db: DatabasePool
  let scratch = ''
  let atMs = Date.parse('2026-11-29T12:00:00Z')
  const now = () => new Date(atMs)
  let count = 0
  before(async () => {
    postgres = owned.use(await startPostgres())
    await postgres.migrate('proxy')
    db = await openDatabase(postgres.url('proxy'))
    owned.defer(() => db.end())
    scratch = mkdtempSync(join(tmpdir(), 'budgets-'))
    owned.defer(() => rmSync(scratch, { recursive: true, force: true }))
  })
  after(() => owned.disposeAsync())

  type Holder = Awaited<ReturnType<typeof startHolder>>
  const keepFor = (...holders: Holder[]) => ({
    db,
    budgets: {
      refresh: async () =>
        void (await Promise.all(holders.map(({ budgets }) => budgets.refresh()))),
      heldHere: () => 0,
    },
    log: quiet,
    now,
  })
  const folderOf = (name: string) => {
    const folder = join(scratch, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }
  const open = (name: string, waitMs = 300) =>
    startHolder({ db, folder: folderOf(name), now, waitMs })

  /** A user of its own, so that no other test's budget matches. */
  async function make(changes: Partial<NewBudget> = {}) {
    count += 1
    const [name, subject] = [`b-${count}`, `user-${count}`]
    const plain = {
      level: 'user',
      unit: 'usd',
      amount: 10_000,
      window: 'day',
      zone: 'UTC',
    } as const
    const rest = { clip: 'off', clipTokensMin: 1, enforce: 'refuse' } as const
    await addBudget({ name, subject, ...plain, ...rest, ...changes }, owner, keepFor())
    const row = await postgres.query('select id from proxy.budgets where name = $1', [name])
    return { name, id: Number(row[0]!.id), spender: spenderOf({ user: subject }) }
  }
  const take = async (
    { budgets }: Holder,
    spender: ReturnType<typeof spenderOf>,
    nanoUsd: number,
  ) => budgets.reserve(spender, flat(nanoUsd), { outputTokens: 1, inputTokens: 1 })
  const refusal = async (promise: Promise<unknown>): Promise<Refusal> => {
    const error = await promise.then(
      () => assert.fail('it was let in'),
      (refused: unknown) => refused,
    )
    assert.ok(error instanceof Refusal, String(error))
    return error
  }

  const askOf = (budget: number, changes: Partial<LeaseAsk> = {}): LeaseAsk => ({
    budget,
    startMs: 0,
    endMs: null,
    seq: 1,
    returned: 0,
    want: 100,
    least: 1,
    ...changes,
  })

  test('a message that is repeated, or late, leases nothing twice', async () => {
    const { id } = await make({ window: 'total' })
    const store = createLeaseStore(db, {
      holder: 'h-repeat',
      epoch: await beginEpoch(db, 'h-repeat'),
    })
    const say = async (changes: Partial<LeaseAsk>) => {
      const [answer] = (await store.ask([askOf(id, changes)], atMs)) as LeaseAnswer[]
      return [answer!.seq, answer!.granted, answer!.returned, answer!.left]
    }
    assert.deepEqual(await say({ seq: 1 }), [1, 100, 0, 9_900])
    assert.deepEqual(await say({ seq: 1 }), [1, 100, 0, 9_900])
    assert.deepEqual(await say({ seq: 3, returned: 40, want: 0 }), [3, 100, 40, 9_940])
    assert.deepEqual(await say({ seq: 2, returned: 0 }), [3, 100, 40, 9_940])
    assert.deepEqual(
      await say({ seq: 4, returned: 40, want: 50_000, least: 50_000 }),
      [4, 100, 40, 9_940],
    )
    assert.deepEqual(await say({ seq: 5, returned: 40, want: 50_000 }), [5, 10_040, 40, 0])
  })

  test('what an older process says is refused, and its unspent lease is the next one’s', async () => {
    const { id } = await make({ window: 'total' })
    const first = await beginEpoch(db, 'h-zombie')
    const zombie = createLeaseStore(db, { holder: 'h-zombie', epoch: first })
    await zombie.ask([askOf(id, { want: 10_000 })], atMs)
    const line = `{"id":"c","state":"settled","holds":[${first},700,0,[${id},0,0]]}`
    await db.transaction((transaction) => bookHolds(transaction, 'h-zombie', [line]))
    const second = await beginEpoch(db, 'h-zombie')
    const fresh = createLeaseStore(db, { holder: 'h-zombie', epoch: second })
    assert.equal(await zombie.ask([askOf(id, { seq: 2, returned: 9_000 })], atMs), 'fenced')
    const [answer] = (await fresh.ask([askOf(id, { want: 10_000 })], atMs)) as LeaseAnswer[]
    assert.deepEqual([answer!.granted, answer!.othersSpent, answer!.left], [9_300, 700, 0])
    // What it sent still is charged, also when its line comes late.
    await db.transaction((transaction) => bookHolds(transaction, 'h-zombie', [line]))
    const [later] = (await fresh.ask([askOf(id, { seq: 2, want: 0 })], atMs)) as LeaseAnswer[]
    assert.deepEqual([later!.othersSpent, later!.left], [1_400, -700])
  })

  test('a process whose place was taken lets no call in any more', async () => {
    const { spender } = await make()
    await using holder = await open('fenced')
    const held = await take(holder, spender, 9_000)
    await beginEpoch(db, holder.ledger.journal)
    held.release() // There is room in memory; the next word to the database tells it better.
    await refusal(take(holder, spender, 10_000))
    assert.equal((await refusal(take(holder, spender, 1))).code, 'budget/unknown')
  })

  test('two holders never lease more than there is, however they ask at once', async () => {
    const { id, name } = await make({ window: 'total' })
    const stores = await Promise.all(
      ['h-a', 'h-b', 'h-c'].map(async (holder) =>
        createLeaseStore(db, { holder, epoch: await beginEpoch(db, holder) }),
      ),
    )
    const asks = stores.flatMap((store) =>
      Array.from({ length: 20 }, (_, index) =>
        store.ask([askOf(id, { seq: index + 1, want: 777 })], atMs),
      ),
    )
    await Promise.all(asks)
    const { leased, left } = await readUse('north', name, { ...keepFor(), now })
    assert.deepEqual([leased, left], [10_000, 0])
  })

  test('what an order to stop finds unspent is free at once, and what was spent stays', async () => {
    const { name, spender } = await make()
    const holder = await open('stops')
    const held = await take(holder, spender, 5_000)
    held.settle({ nanoUsd: 0, tokens: 0 })
    assert.ok((await readUse('north', name, keepFor())).leased > 0)
    await holder[Symbol.asyncDispose]()
    assert.equal((await readUse('north', name, keepFor())).leased, 0)
  })

  test('a call counts in the window it was let in by, whenever it ends', async () => {
    const { name, spender } = await make()
    await using holder = await open('windows')
    const held = await take(holder, spender, 8_000)
    atMs += dayMs
    const next = await take(holder, spender, 8_000)
    held.settle({ nanoUsd: 7_000, tokens: 0 })
    assert.equal((await readUse('north', name, keepFor())).leased, 8_000)
    next.release()
  })

  test('a clock that jumps ahead and back finds each window as it left it', async () => {
    const { spender } = await make()
    await using holder = await open('clock')
    const spend = async (nanoUsd: number) => {
      const held = await take(holder, spender, nanoUsd)
      held.settle({ nanoUsd, tokens: 0 })
    }
    await spend(9_000)
    atMs += 400 * dayMs
    await spend(9_500)
    await until(async () => {
      const rows = await postgres.query(
        'select (granted - returned)::int as kept from proxy.budget_leases where holder = $1 order by window_start',
        [holder.ledger.journal],
      )
      return rows[0]!.kept === 9_000
    })
    atMs -= 400 * dayMs
    assert.equal((await refusal(take(holder, spender, 1_500))).code, 'budget/usd')
    await spend(1_000)
    atMs += 400 * dayMs
    assert.equal((await refusal(take(holder, spender, 1_000))).code, 'budget/usd')
    atMs -= 400 * dayMs
  })

  test('an amount that is lowered below what is used refuses from then on, and left is below zero', async () => {
    const { name, spender } = await make()
    await using holder = await open('lowered')
    const held = await take(holder, spender, 6_000)
    held.settle({ nanoUsd: 6_000, tokens: 0 })
    await changeBudget(name, { amount: 2_000 }, owner, keepFor(holder))
    const refused = await refusal(take(holder, spender, 1))
    assert.equal(refused.code, 'budget/usd')
    assert.match(refused.message, /of \$0\.0000/)
    await changeBudget(name, { amount: 1_000_000_000 }, owner, keepFor(holder))
    ;(await take(holder, spender, 500_000_000)).release()
  })

  test('a lowered amount takes back what was leased under the larger one', async () => {
    const { name, spender } = await make()
    await using holder = await open('shrunk')
    ;(await take(holder, spender, 10_000)).release()
    await changeBudget(name, { amount: 5_000 }, owner, keepFor(holder))
    const codes = await refusal(take(holder, spender, 6_000))
    assert.equal(codes.code, 'budget/usd')
    ;(await take(holder, spender, 5_000)).release()
  })

  test('a raise holds until its end, and two changes at once lose none', async () => {
    const { name, spender } = await make()
    await using holder = await open('raised')
    await refusal(take(holder, spender, 20_000))
    const until = new Date(atMs + 3_600_000).toISOString()
    await Promise.all([
      raiseBudget(name, { amount: 50_000, until }, owner, keepFor(holder)),
      changeBudget(name, { clip: 'allow' }, owner, keepFor(holder)),
    ])
    const kept = await readBudget('north', name, keepFor())
    assert.deepEqual([kept.clip, kept.raise], ['allow', { amount: 50_000, until }])
    ;(await take(holder, spender, 20_000)).release()
    atMs += 3_600_000
    assert.equal((await refusal(take(holder, spender, 20_000))).code, 'budget/usd')
    await assert.rejects(raiseBudget(name, { amount: 9, until }, owner, keepFor()), {
      code: 'budget/invalid',
    })
  })

  test('a budget that is removed with calls in flight lets them end, and its name is free', async () => {
    const { name, spender } = await make()
    await using holder = await open('removed')
    const held = await take(holder, spender, 9_000)
    await removeBudget(name, owner, keepFor(holder))
    const line = `{"id":"c","state":"settled","holds":${held.toLine()}}`
    held.settle({ nanoUsd: 8_000, tokens: 0 })
    await db.transaction((transaction) => bookHolds(transaction, holder.ledger.journal, [line]))
    assert.equal((await take(holder, spender, 99_000)).toLine(), null)
    await addBudget(
      {
        name,
        level: 'user',
        subject: spender.user,
        unit: 'usd',
        amount: 50,
        window: 'total',
        zone: 'UTC',
        clip: 'off',
        clipTokensMin: 1,
        enforce: 'refuse',
      },
      owner,
      keepFor(holder),
    )
    assert.equal((await refusal(take(holder, spender, 51))).code, 'budget/usd')
    ;(await take(holder, spender, 50)).release()
    await purge(db, new Date(atMs + 3 * dayMs))
    await removeBudget(name, owner, keepFor(holder))
    await purge(db, new Date(atMs + 3 * dayMs))
    assert.deepEqual(
      await postgres.query('select id from proxy.budgets where name = $1', [name]),
      [],
    )
  })

  test('while PostgreSQL is away calls go on within what is leased, and no further', async () => {
    const { name, spender } = await make({ amount: 100_000 })
    await using holder = await open('away', 200)
    ;(await take(holder, spender, 20_000)).release()
    await postgres.kill()
    try {
      const held = await take(holder, spender, 15_000)
      const refused = await refusal(take(holder, spender, 50_000))
      assert.equal(refused.code, 'budget/unknown')
      assert.ok(refused.retryAfterS! <= 30)
      held.settle({ nanoUsd: 15_000, tokens: 0 })
    } finally {
      await postgres.start()
    }
    await until(async () => (await take(holder, spender, 80_000).catch(() => null)) !== null, 9_000)
    const { leased, left } = await readUse('north', name, keepFor())
    assert.ok(leased <= 100_000 && left >= 0)
  })
})
