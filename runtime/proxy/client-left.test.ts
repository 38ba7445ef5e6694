import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Page } from '../spool/api.ts'
import { startPostgres } from '../testing/postgres.ts'
import type { Call, LiveCalls } from './api.ts'
import { type Fork, json, retry, script, startFork } from './testing/fork.ts'
import { type Stage, until } from './testing/stage.ts'

const closeMsMax = 250 // 50 where the machine is idle.
const open = { models: {}, tools: {}, serverTools: {} }

describe('answers whose client left', () => {
  const owned = new AsyncDisposableStack()
  let fork: Fork
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    fork = owned.use(await startFork(postgres, { clientLeft: { msMax: '1m', bytesMax: '64KiB' } }))
    stage = fork.stage
  })
  after(() => owned.disposeAsync())
  beforeEach(() => fork.clear())

  const head = { 'content-type': 'text/event-stream' }
  const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
  const start = event({
    type: 'message_start',
    message: { usage: { input_tokens: 7, output_tokens: 1 } },
  })
  const word = event({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text: 'late words' },
  })
  const end = [
    event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: 41 },
    }),
    event({ type: 'message_stop' }),
  ].join('')

  const lastCall = async () => {
    const page = (await (await stage.admin('GET', '/api/calls?limit=1')).json()) as Page<Call>
    return page.items[0]!
  }
  const isOver = async () => (await lastCall()).state !== 'begun'

  /** A call that is left when its answer began; the rest of that is the test's to write. */
  async function leave(policy: object) {
    await fork.addRoute()
    const put = await stage.admin('PUT', '/api/policies/org', { ...open, ...policy })
    assert.equal(put.status, 200, await put.clone().text())
    const { promise: began, resolve } = Promise.withResolvers<ServerResponse>()
    script(stage.upstream, (response) => {
      response.writeHead(200, head).write(start)
      resolve(response)
    })
    const left = new AbortController()
    const response = await fork.call({ stream: true }, '/v1/messages', {}, left.signal)
    await response.body!.getReader().read()
    const aborted = stage.upstream.state.aborted.length
    left.abort()
    const leftAt = performance.now()
    return {
      upstream: await began,
      leftAt,
      aborts: () => stage.upstream.state.aborted.slice(aborted),
    }
  }

  test('they are cancelled at once where nothing is said', async () => {
    const { leftAt, aborts } = await leave({})
    await until(() => aborts().length === 1)
    assert.ok(aborts()[0]! - leftAt < closeMsMax, `${aborts()[0]! - leftAt} ms`)
    await until(isOver)
    assert.equal((await lastCall()).state, 'estimated')
  })

  test('drained ones run to their end, are booked exactly, and kept for threads', async () => {
    const turns = stage.peers.turns.length
    const { upstream, aborts } = await leave({ onClientLeft: 'drain' })
    await until(() => upstream.write(word))
    assert.equal(await liveCount(), 1)
    upstream.end(end)
    await until(isOver)
    const { state, usage, error, status, stopReason } = await lastCall()
    assert.deepEqual(
      [state, usage.inputTokens, usage.outputTokens, error, status, stopReason],
      ['settled', 7, 41, 'the client left', 200, 'end_turn'],
    )
    assert.equal(aborts().length, 0)
    assert.equal(await liveCount(), 0)
    await until(() => stage.peers.turns.length > turns)
    assert.match(JSON.stringify(stage.peers.turns.at(-1)), /late words/)
  })

  test('drained ones whose answer had not begun are read as well, and not tried again', async () => {
    await fork.addRoute(retry('overloaded'))
    await stage.admin('PUT', '/api/policies/org', { ...open, onClientLeft: 'drain' })
    for (const [status, body, expected] of [
      [200, { usage: { input_tokens: 3, output_tokens: 5 } }, ['settled', 200, 5]],
      [529, { type: 'error', error: { type: 'overloaded_error' } }, ['settled', 529, 0]],
    ] as const) {
      const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>()
      script(stage.upstream, resolve)
      const left = new AbortController()
      const call = fork.call({}, '/v1/messages', {}, left.signal)
      const response = await asked
      left.abort()
      await assert.rejects(call)
      await until(async () => (await liveCount()) === 1)
      json(status, body)(response)
      await until(isOver)
      const last = await lastCall()
      assert.deepEqual([last.state, last.status, last.usage.outputTokens], expected)
    }
    assert.equal(fork.seen()[1], 0)
  })

  test('drained ones that go on beyond their bytes are cut and estimated', async () => {
    const { upstream, aborts } = await leave({ onClientLeft: 'drain' })
    for (let sent = 0; aborts().length === 0 && sent < 64; sent += 1) {
      upstream.write(`: ${'x'.repeat(8_000)}\n\n`)
      await until(() => !upstream.writableNeedDrain || aborts().length > 0)
    }
    await until(() => aborts().length === 1)
    await until(isOver)
    const { state, usage } = await lastCall()
    assert.deepEqual([state, usage.inputTokens], ['estimated', 7])
  })

  test('drained ones are cut when the proxy ends, and booked before it is gone', async () => {
    const { aborts } = await leave({ onClientLeft: 'drain' })
    await until(async () => (await liveCount()) === 1)
    const endedAt = performance.now()
    await stage.restart()
    assert.ok(performance.now() - endedAt < 5_000)
    assert.equal(aborts().length, 1)
    const { state, error } = await lastCall()
    assert.deepEqual([state, error], ['estimated', 'the client left'])
  })

  const liveCount = async () =>
    ((await (await stage.admin('GET', '/api/calls/live')).json()) as LiveCalls).total
})
