import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createTestDeps, type TestDeps } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { type Ledger, startLedger } from './ledger.ts'
import { noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import { createPrices } from './prices/prices.ts'

const hour = 3_600_000 // Nothing is shipped by itself.
const config = { syncMs: 1, shipMs: hour, segmentBytesMax: 2_000, backlogBytesMax: 12_000 }

describe('the ledger', () => {
  const owned = new AsyncDisposableStack()
  const prices = createPrices({ own: [], shipped: [], now: () => new Date() })
  let postgres: TestPostgres
  let deps: TestDeps
  before(async () => {
    postgres = owned.use(await startPostgres())
    deps = owned.use(await createTestDeps('proxy', { postgres }))
  })
  after(() => owned.disposeAsync())

  let folders = 0
  const newFolder = () => join(deps.folder, `ledger-${folders++}`)
  const open = (folder: string) => startLedger({ ...deps, folder, config, prices })
  const segmentsIn = (folder: string) =>
    readdirSync(folder).filter((name) => name.startsWith('calls-'))

  let ids = 0
  async function begin(ledger: Ledger) {
    const id = `call-${ids++}`
    const caller = { org: 'default', user: 'owner', key: null, team: null, sandbox: null }
    const known = { id, caller, provider: 'a', model: 'm', wire: 'chat' as const }
    const begun = toBegun(toFacts({ ...known, beganAt: new Date() }, false), 'openai', 100)
    await ledger.begin(begun)
    const ending = { state: 'settled', status: 200, usage: noUsage, costNanoUsd: 0 } as const
    const end = () => ledger.end(id, toEndedLine(begun.head, { ...ending, endedAt: new Date() }))
    return { id, end }
  }
  const stateOf = async (id: string) =>
    (await postgres.query('select state from proxy.calls where id = $1', [id]))[0]?.['state']

  test('takes no further call while too much of it waits for its database, and goes on then', async () => {
    await using ledger = await open(newFolder())
    const fill = async () => {
      for (let i = 0; i < 200; i += 1) (await begin(ledger)).end()
    }
    await assert.rejects(fill(), { code: 'ledger/full', retryAfterS: 5 })
    assert.ok(ledger.backlogBytes() > config.backlogBytesMax)
    await ledger.flush()
    const { id, end } = await begin(ledger)
    end()
    await ledger.flush()
    assert.equal(await stateOf(id), 'settled')
  })

  test('keeps the segment that an open call began in, and estimates it at the next start', async () => {
    const folder = newFolder()
    let left: string
    {
      await using ledger = await open(folder)
      const { id } = await begin(ledger)
      left = id
      const [first] = segmentsIn(folder)
      for (let i = 0; i < 8; i += 1) (await begin(ledger)).end()
      await ledger.flush()
      assert.ok(segmentsIn(folder).includes(first!), 'it was thrown away')
      assert.equal(await stateOf(id), 'begun')
    }
    await using ledger = await open(folder)
    assert.equal(await stateOf(left), 'estimated')
    ;(await begin(ledger)).end()
    await ledger.flush()
    assert.ok(segmentsIn(folder).length <= 2, 'what is shipped goes')
  })

  test('goes on where it stopped to ship, and ships nothing twice', async () => {
    const folder = newFolder()
    const rows = () =>
      postgres.query('select segment, byte_offset from proxy.shipped order by 1, 2')
    {
      await using ledger = await open(folder)
      ;(await begin(ledger)).end()
      await ledger.flush()
    }
    const before = await rows()
    await postgres.query('delete from proxy.calls') // Whatever is shipped again shows.
    await using ledger = await open(folder)
    const { id, end } = await begin(ledger)
    end()
    await ledger.flush()
    assert.deepEqual(await postgres.query('select id from proxy.calls'), [{ id }])
    assert.notDeepEqual(await rows(), before)
  })
})
