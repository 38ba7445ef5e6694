// A vendor that is overloaded for a while, with hundreds of calls at once.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import type { ProviderHealth } from './routing/api.ts'
import { type Fork, fine, script, startFork } from './testing/fork.ts'
import { addBudget, assertQuiet, readUse, tightBodies } from './testing/quiet.ts'
import { until } from './testing/stage.ts'

const calls = 150
const overloaded =
  '{"type":"error","error":{"type":"overloaded_error","message":"Overl\\u006faded é"},  "request_id":"req_storm"}\n'
const price = {
  model: 'm-1',
  inputUsdPerMTok: 1,
  cachedUsdPerMTok: 1,
  cacheWriteUsdPerMTok: 1,
  outputUsdPerMTok: 1,
}
const sha = (text: string) => createHash('sha256').update(text).digest('hex')

describe('a storm of 529s', { timeout: 60_000 }, () => {
  const owned = new AsyncDisposableStack()
  let fork: Fork
  before(async () => {
    const postgres = owned.use(await startPostgres())
    fork = owned.use(await startFork(postgres, { ...tightBodies, prices: [price] }))
    await fork.stage.addProvider({ name: 'plain', models: [price.model] })
    await addBudget(fork.stage, 'usd', 1_000_000_000_000)
  })
  after(() => owned.disposeAsync())
  afterEach(async () => {
    await assertQuiet(fork.stage, ['usd'])
    await fork.clear()
  })

  const storm = () =>
    script(fork.stage.upstream, (response) => {
      const headers = { 'content-type': 'application/json', 'x-should-retry': 'true' }
      setTimeout(() => response.writeHead(529, headers).end(overloaded), 50)
    })
  const ask = async () => {
    const response = await fork.call({ model: 'claude-opus-4-5', max_tokens: 10, messages: [] })
    const { status, headers } = response
    return { status, retry: headers.get('x-should-retry'), sha: sha(await response.text()) }
  }
  const askAll = () => Promise.all(Array.from({ length: calls }, ask))
  const health = async (name: string) => {
    const response = await fork.stage.admin('GET', `/api/providers/${name}/health`)
    return (await response.json()) as ProviderHealth
  }
  const models = ['claude-opus-4-5']
  const match = { models }

  test('passes byte for byte, costs nothing, and is over when it is over, where there is no route', async () => {
    await fork.stage.addProvider({ name: 'a', models })
    storm()
    await ask() // The first one leases, and waits for that as long as a busy machine takes.
    await until(async () => (await ask()).status === 529)
    fork.stage.upstream.seen.length = 0
    const expected = { status: 529, retry: 'true', sha: sha(overloaded) }
    for (const told of await askAll()) assert.deepEqual(told, expected)
    assert.equal(fork.seen()[0], calls, 'each was tried, and once')
    const listed = await fork.stage.admin('GET', '/api/calls?limit=500')
    const { items } = (await listed.json()) as { items: Call[] }
    const booked = items.filter(({ state, status }) => state === 'settled' && status === 529)
    assert.ok(booked.length >= calls && booked.every(({ costNanoUsd }) => costNanoUsd === 0))
    assert.equal((await readUse(fork.stage, 'usd')).used, 0)
    script(fork.stage.upstream, fine)
    assert.equal((await ask()).status, 200)
  })

  test('cools its credential once, goes elsewhere meanwhile, and one probe ends it', async () => {
    const retry = { triesMax: 2, on: ['overloaded'] } as const
    await fork.addRoute({ match, retry: { ...retry, on: [...retry.on] } }, { models })
    storm()
    const first = await askAll()
    assert.ok(
      first.every(({ status }) => status === 200),
      'the other one served them',
    )
    const { state, failures, coolingUntil } = await health('a')
    assert.deepEqual([state, failures], ['cooling', 2], 'a crowd tells one thing once')
    assert.ok(Date.parse(coolingUntil!) - Date.now() < 2_500)
    fork.stage.upstream.seen.length = 0
    assert.ok((await askAll()).every(({ status }) => status === 200))
    const isCooling = Date.now() < Date.parse(coolingUntil!) // On a busy machine it may be over by now.
    assert.ok(fork.seen()[0] === 0 || !isCooling, 'none was sent there')

    const held: ServerResponse[] = []
    script(fork.stage.upstream, (response) => void held.push(response))
    await until(async () => (await health('a')).state === 'half-open')
    const probe = ask()
    await until(() => held.length === 1)
    assert.ok((await askAll()).every(({ status }) => status === 200))
    assert.equal(held.length, 1, 'one probe, and the others elsewhere until it ends')
    script(fork.stage.upstream, fine)
    fine(held[0]!)
    assert.equal((await probe).status, 200)
    assert.equal((await health('a')).state, 'good')
    fork.stage.upstream.seen.length = 0
    fork.second.seen.length = 0
    await askAll()
    assert.deepEqual(fork.seen(), [calls, 0])
  })

  test('of all targets passes the last answer byte for byte', async () => {
    const retry = { triesMax: 2, on: ['overloaded' as const] }
    await fork.addRoute({ match, retry }, { models })
    storm()
    fork.second.state.script = fork.stage.upstream.state.script
    const expected = { status: 529, retry: 'true', sha: sha(overloaded) }
    for (const told of await askAll()) assert.deepEqual(told, expected)
    await sleep(10)
    const { inFlight } = await health('a')
    assert.equal(inFlight + (await health('b')).inFlight, 0)
  })
})
