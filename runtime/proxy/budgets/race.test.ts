import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { DatabasePool } from 'slonik'
import { openDatabase } from '#kernel/db.ts'
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { until } from '../testing/stage.ts'
import { addBudget, readUse } from './keep-budgets.ts'
import { budgetOf, quiet } from './testing/bank.ts'
import { startHolder } from './testing/holder.ts'

const oneUsd = 1_000_000_000
const main = fileURLToPath(new URL('testing/holders-main.ts', import.meta.url))

describe('five hundred clients on one dollar', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let db: DatabasePool
  let scratch = ''
  before(async () => {
    postgres = owned.use(await startPostgres())
    await postgres.migrate('proxy')
    db = await openDatabase(postgres.url('proxy'))
    owned.defer(() => db.end())
    scratch = mkdtempSync(join(tmpdir(), 'race-'))
    owned.defer(() => rmSync(scratch, { recursive: true, force: true }))
  })
  after(() => owned.disposeAsync())

  const keep = {
    get db() {
      return db
    },
    budgets: { refresh: async () => {}, heldHere: () => 0 },
    log: quiet,
    now: () => new Date(),
  }
  const bill = () => join(scratch, 'bill')
  const charged = () =>
    existsSync(bill())
      ? readFileSync(bill(), 'utf8')
          .split('\n')
          .reduce((sum, line) => sum + Number(line), 0)
      : 0
  const folderOf = (name: string) => {
    const folder = join(scratch, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  test('over two processes of two holders, one of them killed and replayed, spend it and not more', async () => {
    const { id: _, org: __, ...budget } = budgetOf({ amount: oneUsd, name: 'race' })
    const { name, unit, amount, zone } = budget
    const more = { clip: 'off', clipTokensMin: 1, enforce: 'refuse' } as const
    const added = { name, level: 'org', unit, amount, window: 'total', zone, ...more } as const
    await addBudget(added, { org: 'north', user: 'olga' }, keep)
    const boundMax = oneUsd / 120
    const given = { url: postgres.url('proxy'), bill: bill(), clients: 125, boundMax }
    const folders = ['three', 'four'].map(folderOf)
    const child = fork(main, [JSON.stringify({ ...given, folders })], { execArgv: [] })
    await once(child, 'message')
    const start = (folder: string) => startHolder({ db, folder, bill: bill() })
    const holders = await Promise.all(['one', 'two'].map((holder) => start(folderOf(holder))))
    for (const holder of holders) owned.use(holder)
    const run = (holder: Awaited<ReturnType<typeof start>>) =>
      Array.from({ length: 125 }, () => holder.client(boundMax))
    const first = holders.flatMap(run)
    await until(() => charged() > oneUsd / 3)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const taken = await Promise.all(folders.map(start))
    for (const holder of taken) owned.use(holder)
    await Promise.all([...first, ...taken.flatMap(run)])

    await Promise.all([...holders, ...taken].map(({ ledger }) => ledger.flush()))
    const spent = charged()
    assert.ok(spent <= oneUsd, `the upstream charged ${spent}`)
    const use = await readUse('north', 'race', keep)
    assert.ok(use.used <= oneUsd, `${use.used} are booked`)
    assert.ok(use.used >= 0.95 * oneUsd, `only ${use.used} were used`)
    assert.ok(use.used >= spent, `${spent} were charged, and ${use.used} booked`)
    const calls = await postgres.query(
      "select count(*)::int as open from proxy.calls where state = 'begun'",
    )
    assert.equal(calls[0]!.open, 0)
  })
})
