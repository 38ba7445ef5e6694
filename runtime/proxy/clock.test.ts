// The machine's clock is set an hour ahead and an hour back. It says which window a call counts in and which token is over; how
// long anything waits, cools or may take is told by a clock that only goes on.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import { createKeys } from './keys.ts'
import { type Fork, fine, json, script, startFork } from './testing/fork.ts'
import { addBudget, assertQuiet, tightBodies } from './testing/quiet.ts'
import { clientKey, keyCheck, sandboxClaims, startLine, until } from './testing/stage.ts'

const hourMs = 3_600_000
const windowMs = 1_000
const firstByteMs = 1_000

describe('a clock that jumps', { timeout: 60_000 }, () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let fork: Fork
  before(async () => {
    postgres = owned.use(await startPostgres())
    const breaker = { callsMax: 3, keyCallsMax: 1_000, windowMs: `${windowMs}ms`, retryAfterS: 5 }
    const config = { ...tightBodies, breaker, firstByteMs: `${firstByteMs}ms`, keysPollMs: '60s' }
    fork = owned.use(await startFork(postgres, config))
    await fork.addRoute({ strategy: 'order', retry: { triesMax: 2, on: ['rate-limited'] } })
    mock.timers.enable({ apis: ['Date'], now: Date.now() })
  })
  after(async () => {
    mock.timers.reset()
    await owned.disposeAsync()
  })
  let startedMs = 0
  beforeEach(() => {
    startedMs = Date.now()
    for (const one of [fork.stage.upstream, fork.second]) script(one, fine)
  })
  afterEach(async () => {
    mock.timers.setTime(startedMs)
    await assertQuiet(fork.stage)
  })
  const jump = (ms: number) => mock.timers.setTime(Date.now() + ms)
  const ahead = () => jump(hourMs)
  const back = () => jump(-hourMs)
  const status = async () => {
    const response = await fork.call()
    await response.arrayBuffer()
    return response.status
  }

  test('ahead leaves API keys good, and back does not keep them good without news', async () => {
    ahead()
    assert.equal(await status(), 200)
    const peers = { json: async () => [keyCheck(clientKey)] } as never
    const keys = createKeys(peers, () => new Date(), 50)
    await keys.refresh(new AbortController().signal)
    keys.check(clientKey)
    back()
    await sleep(60)
    assert.throws(() => keys.check(clientKey), { code: 'keys/unknown' })
  })

  test('back lets a sandbox that called too fast call again after its window, and a credential cool no longer', async () => {
    const { stage, second } = fork
    await using line = await startLine(stage, 'sb-1')
    const token = await stage.deps.tokenFor(sandboxClaims())
    const ask = async () => {
      const headers = { 'x-api-key': token }
      const body = '{"model":"m-1","messages":[]}'
      const response = await fetch(new URL('/v1/messages', line.url), {
        method: 'POST',
        headers,
        body,
      })
      await response.arrayBuffer()
      return response.status
    }
    assert.deepEqual([await ask(), await ask(), await ask(), await ask()], [200, 200, 200, 429])
    script(stage.upstream, json(429, { type: 'error' }))
    assert.equal(await status(), 200) // By the other one.
    script(stage.upstream, fine)
    back()
    second.seen.length = 0
    assert.equal(await ask(), 429)
    await status()
    assert.equal(second.seen.length, 1, 'it cools')
    await sleep(2_300) // Two seconds, and a tenth of them at most beside.
    second.seen.length = 0
    assert.equal(await status(), 200)
    assert.equal(second.seen.length, 0, 'it is fit again')
    assert.equal(await ask(), 200)
  })

  for (const [way, jumps] of [
    ['ahead', ahead],
    ['back', back],
  ] as const) {
    test(`${way} cuts no stream, and an upstream that is silent has its time`, async () => {
      script(fork.stage.upstream, (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n')
        setTimeout(() => response.end('data: {"type":"message_stop"}\n\n'), 200)
      })
      const streamed = await fork.call()
      jumps()
      assert.match(await streamed.text(), /message_stop/)
      script(fork.stage.upstream, () => {})
      const began = performance.now()
      const silent = fork.call()
      await until(() => fork.seen()[0]! > 0)
      jumps()
      assert.equal((await silent).status, 504)
      const tookMs = performance.now() - began
      assert.ok(tookMs >= firstByteMs && tookMs < 4 * firstByteMs, `${tookMs} ms`)
      const listed = await fork.stage.admin('GET', '/api/calls?limit=2')
      const { items } = (await listed.json()) as { items: Call[] }
      assert.ok(items.every(({ timing }) => timing!.lastByteMs === null || timing!.lastByteMs >= 0))
    })
  }

  test('ends tokens ahead, and has them good again back', async () => {
    const { stage } = fork
    await using line = await startLine(stage, 'sb-2')
    const token = await stage.deps.tokenFor(sandboxClaims({ sub: 'sb-2' }))
    const ask = async () => {
      const headers = { 'x-api-key': token }
      const response = await fetch(new URL('/v1/models', line.url), { headers })
      await response.arrayBuffer()
      return response.status
    }
    assert.equal(await ask(), 200)
    ahead()
    assert.equal(await ask(), 401)
    back()
    assert.equal(await ask(), 200)
  })

  test('gives each window of a budget its own amount, and none twice', async () => {
    const { stage } = fork
    await addBudget(stage, 'requests', 3, 'hour')
    assert.deepEqual([await status(), await status(), await status()], [200, 200, 200])
    assert.equal(await status(), 402)
    ahead()
    assert.deepEqual([await status(), await status(), await status()], [200, 200, 200])
    assert.equal(await status(), 402)
    back()
    assert.equal(await status(), 402)
    assert.equal((await stage.admin('DELETE', '/api/budgets/requests')).status, 204)
  })
})
