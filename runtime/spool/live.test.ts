import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { userClaims } from '../testing/deps.ts'
import { type Listening, listen } from './testing/listening.ts'
import { agent, type Scene, startScene, until } from './testing/scene.ts'

describe('who listens to an organisation', () => {
  let scene: Scene
  const open: Listening[] = []
  const hear = async (claims?: Parameters<typeof listen>[1]) => {
    const listening = await listen(scene, claims)
    open.push(listening)
    return listening
  }
  /** As a runner of another process books it, under the loop's lock: no bell of this process rings. */
  const spend = (id: string, cost: number, andSleepS = 0) =>
    scene.postgres.query(
      `do $$ begin
        perform from spool.loops where id = '${id}' for update;
        update spool.attempts set cost_nano_usd = ${cost} where loop = '${id}';
        perform pg_sleep(${andSleepS});
      end $$`,
    )
  before(async () => {
    scene = await startScene()
  })
  beforeEach(() => scene.start())
  afterEach(async () => {
    for (const listening of open.splice(0)) listening.close()
    await scene.stop()
  })
  after(() => scene[Symbol.asyncDispose]())

  test('is greeted, and hears a loop from its making to its end', async () => {
    const listening = await hear()
    const hello = await listening.first('hello')
    assert.match(hello.version, /^\d+\.\d+\.\d+/)
    const { id } = await scene.submit()
    const end = await listening.first('loop', (loop) => loop.state === 'ended')
    assert.deepEqual([end.id, end.ending, end.passes], [id, 'done', 1])
    assert.ok(!('spec' in end), 'a summary carries no prompt')
    const states = listening.all('loop').map(({ state }) => state)
    assert.ok(states.includes('running'))
  })

  test('hears the events of each loop in their order, each once', async () => {
    const listening = await hear()
    await listening.first('hello')
    const loops = await Promise.all(['a', 'b', 'c'].map((name) => scene.submit({ name })))
    for (const { id } of loops) {
      await listening.first('event', (event) => event.event === 'ended' && event.loop === id)
      const seqs = listening.all('event').filter(({ loop }) => loop === id)
      const stored = await scene.events(id)
      assert.deepEqual(seqs, stored)
    }
  })

  test('hears nothing of what was before', async () => {
    const old = await scene.submit()
    await scene.ended(old.id)
    const listening = await hear()
    await listening.first('hello')
    const { id } = await scene.submit()
    await listening.first('event', (event) => event.event === 'ended')
    assert.deepEqual([...new Set(listening.all('event').map(({ loop }) => loop))], [id])
  })

  test('hears what another process wrote', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 20') })
    await until(async () => ((await scene.loop(id)).pass ? true : undefined))
    const listening = await hear()
    await listening.first('hello')
    await spend(id, 77)
    const loop = await listening.first('loop', ({ costNanoUsd }) => costNanoUsd === 77)
    assert.equal(loop.pass?.phase, 'agent')
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })

  test('hears a write whose transaction was open while others were told', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 20') })
    const busy = await scene.submit({ agent: agent('sleep 20'), name: 'busy' })
    await until(async () => ((await scene.loop(busy.id)).pass ? true : undefined))
    await until(async () => ((await scene.loop(id)).pass ? true : undefined))
    const listening = await hear()
    await listening.first('hello')
    const long = spend(id, 55, 2)
    await sleep(300)
    await spend(busy.id, 66)
    await listening.first('loop', ({ costNanoUsd }) => costNanoUsd === 66)
    assert.ok(!listening.all('loop').some(({ costNanoUsd }) => costNanoUsd === 55))
    await long
    await listening.first('loop', ({ costNanoUsd }) => costNanoUsd === 55)
    for (const one of [id, busy.id]) {
      await scene.call('POST', `/api/loops/${one}/cancel`)
      await scene.ended(one)
    }
  })

  test('is told of one loop twice a second at most, and of its last state in any case', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 20') })
    await until(async () => ((await scene.loop(id)).pass ? true : undefined))
    const listening = await hear()
    await listening.first('hello')
    const from = performance.now()
    for (let cost = 1; cost <= 100; cost += 1) {
      await spend(id, cost)
      await sleep(10)
    }
    await listening.first('loop', ({ costNanoUsd }) => costNanoUsd === 100)
    const seconds = (performance.now() - from) / 1_000
    const told = listening.all('loop').length
    assert.ok(told <= Math.ceil(seconds * 2) + 1, `${told} in ${seconds} s`)
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })

  test('hears nothing of another organisation', async () => {
    const other = await hear({ org: 'other', sub: 'eve' })
    const mine = await hear()
    await Promise.all([other.first('hello'), mine.first('hello')])
    const { id } = await scene.submit()
    await mine.first('event', (event) => event.event === 'ended' && event.loop === id)
    await sleep(700) // One more look of the other feed.
    assert.deepEqual([...other.all('loop'), ...other.all('event')], [])
  })

  test('gets a sign of life while nothing happens', async () => {
    const listening = await hear()
    await until(async () => listening.comments() || undefined)
  })

  test('has a bounded number of streams, and a place again when one is closed', async () => {
    const mine = await Promise.all(Array.from({ length: 20 }, () => hear()))
    assert.deepEqual([...new Set(mine.map(({ status }) => status))], [200])
    assert.equal((await hear()).status, 503, 'one person')
    for (let at = 0; at < 5; at += 1) assert.equal((await hear({ sub: `u${at}` })).status, 200)
    assert.equal((await hear({ sub: 'last' })).status, 503, 'the whole process')
    mine[0]!.close()
    await until(async () => ((await hear()).status === 200 ? true : undefined))
  })

  test('and does not read is cut, and the others hear all the same', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 20') })
    await until(async () => ((await scene.loop(id)).pass ? true : undefined))
    const deaf = connect(Number(scene.url().port), '127.0.0.1').on('error', () => {})
    deaf.pause()
    const token = await scene.deps.tokenFor(userClaims())
    const lines = ['GET /api/loops/live HTTP/1.1', 'host: x', `authorization: Bearer ${token}`]
    deaf.write(`${lines.join('\r\n')}\r\n\r\n`)
    const listening = await hear()
    await listening.first('hello')
    const eventBytes = 400_000
    await scene.postgres.query(
      `with held as (update spool.loops set event_seq = event_seq + 60 where id = $1 returning id, event_seq)
       insert into spool.events (loop, seq, body)
       select id, event_seq - 60 + n, jsonb_build_object('event', 'phase', 'detail', repeat('x', $2))
       from held, generate_series(1, 60) n`,
      [id, eventBytes],
    )
    await until(async () => listening.all('event').length >= 60 || undefined)
    const heard = await buffer(deaf)
    assert.ok(heard.length < 40 * eventBytes, `${heard.length} bytes`)
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })

  test('without a token hears nothing', async () => {
    assert.equal((await fetch(new URL('/api/loops/live', scene.url()))).status, 401)
  })

  test('is let go when the role stops', async () => {
    const listening = await hear()
    await listening.first('hello')
    await scene.stop()
    await listening.over
  })

  test('hears within 2 s that the database is away, and that it is back, and what came then', async () => {
    const listening = await hear()
    await listening.first('hello')
    const killedMs = performance.now()
    await scene.postgres.kill()
    await listening.first('health', ({ database }) => database === 'down')
    const downMs = listening.heard.at(-1)!.atMs - killedMs
    assert.ok(downMs < 2_000, `${downMs} ms`)
    const late = await hear()
    await late.first('hello')
    assert.equal((await late.first('health')).database, 'down', 'who comes now hears it too')
    await scene.postgres.start()
    const startedMs = performance.now()
    await listening.first('health', ({ database }) => database === 'up')
    const upMs = performance.now() - startedMs
    assert.ok(upMs < 2_000, `${upMs} ms`)
    const { id } = await until(() => scene.submit().catch(() => undefined))
    await listening.first('event', (event) => event.event === 'ended' && event.loop === id)
    await late.first('event', (event) => event.event === 'ended' && event.loop === id)
  })
})
