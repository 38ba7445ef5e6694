// The promise of budgets, over real HTTP: replicas of several processes, one killed in the middle, and the upstream's own bill.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { BudgetUse } from './api.ts'
import type { Told } from './testing/child-main.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'
import { inputNanoUsd, outputNanoUsd } from './testing/vendor-main.ts'

const oneUsd = 1_000_000_000
const clients = 500
const tokensMax = 900
const workers = 2
const price = {
  model: 'm-1',
  inputUsdPerMTok: inputNanoUsd / 1_000,
  cachedUsdPerMTok: inputNanoUsd / 1_000,
  cacheWriteUsdPerMTok: inputNanoUsd / 1_000,
  outputUsdPerMTok: outputNanoUsd / 1_000,
}
const config = {
  prices: [price],
  rehearsal: null,
  ledger: { syncMs: '10ms', shipMs: '100ms', segmentBytesMax: '64KiB', backlogBytesMax: '64MiB' },
}
const fileOf = (name: string) => fileURLToPath(new URL(`./testing/${name}`, import.meta.url))

describe('five hundred clients on one dollar, over HTTP', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres, config }))
    writeFileSync(bill(), '')
    const { heard: port } = await start('vendor-main.ts', bill())
    await stage.addProvider({ baseUrl: `http://127.0.0.1:${port}` })
    const match = { models: ['race-*'] }
    const targets = [{ provider: 'vendor', model: 'm-1' }]
    const route = await stage.admin('POST', '/api/routes', { name: 'race', match, targets })
    assert.equal(route.status, 201, await route.text())
    const limit = { name: 'race', level: 'org', unit: 'usd', amount: oneUsd, window: 'total' }
    const budget = await stage.admin('POST', '/api/budgets', limit)
    assert.equal(budget.status, 201, await budget.text())
  })
  after(() => owned.disposeAsync())

  async function start(name: string, argument: string) {
    const child = fork(fileOf(name), [argument], { execArgv: [] })
    owned.defer(() => void child.kill('SIGKILL'))
    const ended = once(child, 'exit').then(() => assert.fail(`${name} ended`))
    const [heard] = await Promise.race([once(child, 'message'), ended])
    return { child, heard }
  }

  async function startReplica(folder: string) {
    const { masterKeyFile } = stage.config
    const given = {
      postgresUrl: postgres.url('proxy'),
      folder,
      peersUrl: stage.deps.urls.get('auth')!.href,
      upstreamUrl: null,
      config: { ...config, workers, masterKeyFile },
    }
    const { child, heard } = await start('child-main.ts', JSON.stringify(given))
    return { child, url: new URL('/v1/messages', (heard as Told).modelUrl) }
  }

  const bill = () => join(stage.scratch, 'bill')
  /** What the upstream charged, by the name of the call. */
  function readBill(): Map<string, number> {
    const lines = readFileSync(bill(), 'utf8').split('\n').slice(0, -1)
    const charges = lines.map((line) => line.split(' ') as [string, string])
    return new Map(charges.map(([name, nanoUsd]) => [name, Number(nanoUsd)]))
  }
  const readSpent = () =>
    readBill()
      .values()
      .reduce((all, one) => all + one, 0)

  async function readBooked() {
    const rows = await postgres.query(
      `select model, state, error, cost_nano_usd::float8 as cost from proxy.calls where state <> 'denied'`,
    )
    return rows as { model: string; state: string; error: string | null; cost: number }[]
  }

  test('over two replicas of two processes, one of them killed and replayed, spend it and not more', async () => {
    const folders = ['one', 'two'].map((name) => join(stage.scratch, name))
    for (const folder of folders) mkdirSync(folder)
    const replicas = await Promise.all(folders.map(startReplica))
    let calls = 0
    const call = async (agent: Agent) => {
      calls += 1
      const { url } = replicas[calls % 2]!
      const name = `race-${calls}` // The ledger and the bill name a call by its model.
      return post(url, agent, name).catch(() => 'cut' as const)
    }
    const client = async () => {
      const agent = new Agent({ keepAlive: true })
      for (let end: Awaited<ReturnType<typeof call>> = 200; end !== 402; end = await call(agent))
        if (end !== 200) await sleep(50 + 50 * Math.random())
      agent.destroy()
    }
    const running = Array.from({ length: clients }, client)
    await until(() => readSpent() > oneUsd / 3, 20_000)
    const { child } = replicas[1]!
    for (const pid of [...workersOf(child), child.pid!]) process.kill(pid, 'SIGKILL')
    await once(child, 'exit')
    replicas[1] = await startReplica(folders[1]!)
    await Promise.all(running)

    const charges = readBill()
    const isWhole = async () => {
      const rows = await readBooked()
      return rows.length >= charges.size && rows.every(({ state }) => state !== 'begun')
    }
    await until(isWhole, 10_000)
    const rows = await readBooked()
    const booked = new Map(rows.map((row) => [row.model, row]))
    assert.equal(booked.size, rows.length, 'a call is booked twice')
    for (const [name, nanoUsd] of charges) {
      const row = booked.get(name)
      assert.ok(row, `${name} was served, and is not booked`)
      if (row.state === 'settled') assert.equal(row.cost, nanoUsd)
    }
    const exact = rows.filter(({ state }) => state === 'settled')
    assert.ok(exact.every(({ model }) => charges.has(model)))
    assert.ok(
      rows.some(({ error }) => error === 'process ended'),
      'the kill cut no call',
    )

    const spent = readSpent()
    const told = await stage.admin('GET', '/api/budgets/race/use')
    const { used } = (await told.json()) as BudgetUse
    assert.ok(spent <= oneUsd, `the upstream charged ${spent}`)
    assert.ok(spent >= 0.95 * oneUsd, `only ${spent} were used`)
    assert.ok(used >= spent && used <= oneUsd, `${spent} were charged, and ${used} booked`)
  })
})

async function post(url: URL, agent: Agent, name: string): Promise<number> {
  const headers = { 'x-api-key': clientKey, 'content-type': 'application/json', 'x-race': name }
  const asked = request(url, { method: 'POST', agent, headers })
  const stream = Math.random() < 0.5
  const most = Math.ceil(tokensMax * (0.1 + 0.9 * Math.random()))
  const messages = [{ role: 'user', content: 'x' }]
  asked.end(JSON.stringify({ model: name, stream, max_tokens: most, messages }))
  const [response] = await once(asked, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

const workersOf = ({ pid }: ChildProcess) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
