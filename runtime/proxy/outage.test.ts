// PostgreSQL goes away under calls that a budget counts: they go on within what is leased, and no further.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { addBudget, assertQuiet, readUse, tightBodies } from './testing/quiet.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const oneUsd = 1_000_000_000
const outputNanoUsd = 1_000
const tokensMax = 1_000 // A thousandth of the budget; a hundredth is leased ahead.
const price = {
  model: 'm-1',
  inputUsdPerMTok: 0,
  cachedUsdPerMTok: 0,
  cacheWriteUsdPerMTok: 0,
  outputUsdPerMTok: outputNanoUsd / 1_000,
}
const body = JSON.stringify({ model: 'm-1', max_tokens: tokensMax, messages: [] })
const headers = { 'x-api-key': clientKey, 'content-type': 'application/json' }

describe('while PostgreSQL is away', { timeout: 60_000 }, () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  let charged = 0
  before(async () => {
    postgres = owned.use(await startPostgres())
    const config = { ...tightBodies, prices: [price] }
    stage = owned.use(await startStage({ postgres, config }))
    await stage.addProvider()
    await addBudget(stage, 'usd', oneUsd)
    stage.upstream.state.script = (_request, response) => {
      charged += 900 * outputNanoUsd
      response.setHeader('content-type', 'application/json')
      response.end('{"usage":{"input_tokens":1,"output_tokens":900}}')
    }
  })
  after(() => owned.disposeAsync())
  const ask = async () => {
    const response = await fetch(new URL('/v1/messages', stage.url), {
      method: 'POST',
      headers,
      body,
    })
    return {
      status: response.status,
      said: await response.text(),
      again: response.headers.get('retry-after'),
    }
  }

  test('calls spend what is leased, then are told to wait, and all is booked once when it is back', async () => {
    await until(async () => (await ask()).status === 200)
    const { leased } = await readUse(stage, 'usd')
    assert.ok(leased > 0 && leased <= 0.02 * oneUsd)
    const before = charged
    await postgres.kill()
    let last = await ask()
    let served = 0
    for (; last.status === 200 && served < 50; last = await ask()) served += 1
    assert.ok(served >= 2, `only ${served} calls were served`)
    assert.ok(charged - before <= leased)
    assert.equal(last.status, 503)
    assert.match(last.said, /what is leased here is used up/)
    assert.equal(last.again, '5')
    const seen = stage.upstream.seen.length
    const refused = await Promise.all(Array.from({ length: 20 }, ask))
    assert.ok(refused.every(({ status }) => status === 503))
    assert.equal(stage.upstream.seen.length, seen, 'a call was sent that nothing pays')

    await postgres.start()
    await until(async () => (await ask()).status === 200, 20_000)
    await until(async () => (await readUse(stage, 'usd')).used === charged, 10_000)
    const [booked] = await postgres.query(
      `select count(*)::int as calls, sum(cost_nano_usd)::float8 as cost from proxy.calls where state = 'settled'`,
    )
    assert.deepEqual(booked, { calls: stage.upstream.seen.length, cost: charged })
    await assertQuiet(stage, ['usd'])
  })
})
