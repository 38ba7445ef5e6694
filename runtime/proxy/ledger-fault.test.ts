import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { DatabasePool } from 'slonik'
import { openDatabase } from '#kernel/db.ts'
import { FolderHeld, holdFolder } from '#kernel/hold-folder.ts'
import { type CutDatabase, startCutDatabase } from '../testing/cut-database.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { addBudget, readUse } from './budgets/keep-budgets.ts'
import { quiet } from './budgets/testing/bank.ts'
import { startHolder } from './budgets/testing/holder.ts'
import { until } from './testing/stage.ts'

describe('the ledger and PostgreSQL', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let cut: CutDatabase
  let db: DatabasePool
  let scratch = ''
  before(async () => {
    postgres = owned.use(await startPostgres())
    await postgres.migrate('proxy')
    cut = owned.use(await startCutDatabase(postgres.url('proxy')))
    db = await openDatabase(cut.url)
    owned.defer(() => db.end())
    scratch = mkdtempSync(join(tmpdir(), 'ledger-'))
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
  async function addTotal(name: string) {
    const what = { name, level: 'org', unit: 'usd', amount: 1_000_000, window: 'total' } as const
    const how = { zone: 'UTC', clip: 'off', clipTokensMin: 1, enforce: 'refuse' } as const
    await addBudget({ ...what, ...how }, { org: 'north', user: 'olga' }, keep)
  }
  const folderOf = (name: string) => {
    const folder = join(scratch, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  test('a batch that was committed and never confirmed is booked once', async () => {
    await addTotal('unconfirmed')
    await using holder = await startHolder({ db, folder: folderOf('unconfirmed') })
    await holder.call(1_000, 1_000, 0)
    await holder.ledger.flush()
    for (let i = 0; i < 3; i += 1) {
      const lost = cut.loseCommitAfter('proxy.shipped')
      for (let calls = 0; calls < 10; calls += 1) await holder.call(1_000, 1_000, 0)
      await lost
      await until(() =>
        holder.ledger.flush().then(
          () => true,
          () => false,
        ),
      )
    }
    const { used } = await readUse('north', 'unconfirmed', keep)
    const [calls] = await postgres.query('select count(*)::int as all from proxy.calls')
    assert.deepEqual([used, calls!.all], [31_000, 31])
  })

  test('a folder that is in use is waited for, and not shared', async () => {
    const folder = folderOf('held')
    const first = await holdFolder(folder, 0)
    await assert.rejects(holdFolder(folder, 100), FolderHeld)
    const second = holdFolder(folder, 5_000)
    await first[Symbol.asyncDispose]()
    await (await second)[Symbol.asyncDispose]()
  })
})
