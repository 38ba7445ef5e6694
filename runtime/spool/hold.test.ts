import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loop } from './api.ts'
import { agent, promise, type Scene, startScene, until } from './testing/scene.ts'

const folder = mkdtempSync(join(tmpdir(), 'held-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** An agent's runs, noted outside the sandbox; its two passes take a second each. */
function createRuns() {
  const seen = join(folder, randomUUID())
  return {
    seen,
    count: () => (existsSync(seen) ? readFileSync(seen, 'utf8').split('\n').length - 1 : 0),
    twoPasses: (more = 'sleep 1') => ({
      agent: agent(
        `echo run >> ${seen}; ${more}; if test -f one; then say '${promise}'; else echo 1 > one; say 'more'; fi`,
      ),
    }),
  }
}

async function post(scene: Scene, id: string, verb: string, claims = {}) {
  const response = await scene.call('POST', `/api/loops/${id}/${verb}`, undefined, claims)
  return { status: response.status, loop: (await response.json()) as Loop & { code?: string } }
}

async function isResting(scene: Scene, id: string) {
  const loop = await scene.loop(id)
  return loop.state === 'paused' ? loop : undefined
}

// Most of each is waiting, so they go on side by side; a spool is stopped by nobody else's test.
describe('a loop that somebody pauses', { concurrency: true }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start({ parallel: 12 })
  })
  after(() => scene[Symbol.asyncDispose]())
  test('lets its pass come to its end, starts no other, and goes on when it is resumed', async () => {
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses())
    await until(async () => (runs.count() > 0 ? true : undefined))
    const { status, loop } = await post(scene, id, 'pause')
    assert.deepEqual([status, loop.state, loop.isHeld, loop.pass?.pass], [202, 'running', true, 1])
    assert.equal(loop.reason, 'Paused by owner; resume it to go on.')
    const resting = await until(() => isResting(scene, id))
    assert.deepEqual([resting.isHeld, resting.passes, resting.pass], [true, 1, null])
    await sleep(700)
    assert.equal(runs.count(), 1)
    const resumed = await post(scene, id, 'resume')
    assert.deepEqual([resumed.status, resumed.loop.isHeld, resumed.loop.reason], [202, false, null])
    const end = await scene.ended(id)
    assert.deepEqual([end.ending, end.passes, runs.count()], ['done', 2, 2])
    const told = (await scene.events(id)).filter(({ event }) => /paused|resumed/.test(event))
    assert.deepEqual(
      told.map((event) => [event.event, 'until' in event ? event.until : undefined]),
      [
        ['paused', null],
        ['resumed', undefined],
      ],
    )
  })

  test('is paused and resumed once, however often it is asked for', async () => {
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses())
    await until(async () => (runs.count() > 0 ? true : undefined))
    const answers = await Promise.all(['a', 'b', 'c'].map(() => post(scene, id, 'pause')))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202])
    await until(() => isResting(scene, id))
    for (const _ of [1, 2]) assert.equal((await post(scene, id, 'resume')).status, 202)
    await scene.ended(id)
    const names = (await scene.events(id)).map(({ event }) => event)
    assert.equal(names.filter((name) => name === 'paused').length, 1)
    assert.equal(names.filter((name) => name === 'resumed').length, 1)
  })

  test('stops its clock while it rests', async () => {
    const runs = createRuns()
    const { id } = await scene.submit({ ...runs.twoPasses(), caps: { time: '1m' } })
    await until(async () => (runs.count() > 0 ? true : undefined))
    await post(scene, id, 'pause')
    await until(() => isResting(scene, id))
    // As if it had begun to rest, and everything before that, an hour earlier.
    await scene.postgres.query(
      `update spool.loops set started_at = started_at - interval '1 hour',
         held_from = held_from - interval '1 hour' where id = $1`,
      [id],
    )
    await post(scene, id, 'resume')
    assert.equal((await scene.ended(id)).ending, 'done')
  })

  test('can be cancelled while it rests, and ends at once', async () => {
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses())
    await until(async () => (runs.count() > 0 ? true : undefined))
    await post(scene, id, 'pause')
    await until(() => isResting(scene, id))
    await post(scene, id, 'cancel')
    const loop = await scene.ended(id)
    assert.deepEqual(
      [loop.ending, loop.isHeld, loop.passes, runs.count()],
      ['cancelled', false, 1, 1],
    )
  })

  test('after its end is neither paused nor resumed', async () => {
    const { id } = await scene.submit()
    await scene.ended(id)
    for (const verb of ['pause', 'resume']) {
      const { status, loop } = await post(scene, id, verb)
      assert.deepEqual([status, loop.code], [409, 'loop/ended'])
    }
  })

  test('is paused and resumed by nobody of another organisation, and by no other member', async () => {
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses())
    for (const verb of ['pause', 'resume']) {
      assert.equal((await post(scene, id, verb, { org: 'other', sub: 'eve' })).status, 404)
      assert.equal((await post(scene, id, verb, { sub: 'mia', role: 'member' })).status, 403)
    }
    assert.equal((await scene.loop(id)).isHeld, false)
    await scene.ended(id)
  })

  test('rests after a crash as well: its agent is not run again until it is resumed', async () => {
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses('sleep 3'))
    await until(async () => (runs.count() > 0 ? true : undefined))
    await post(scene, id, 'pause')
    await scene.postgres.query(
      // As after a crash: nobody renews the lease, and whoever ran it is gone.
      "update spool.loops set lease_fence = lease_fence + 1, lease_owner = 'gone', lease_until = now() where id = $1",
      [id],
    )
    const resting = await until(() => isResting(scene, id))
    assert.equal(resting.isHeld, true)
    await sleep(700)
    assert.equal(runs.count(), 1)
    await post(scene, id, 'resume')
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.passes, runs.count()], ['done', 2, 3])
  })

  test('has the gates of a committed pass run after a crash, and no further pass', async () => {
    const runs = createRuns()
    const { id } = await scene.submit({
      ...runs.twoPasses('sleep 0.1'),
      gates: [{ name: 'slow', command: `echo gate >> ${runs.seen}; sleep 1.5` }],
    })
    await until(async () => (runs.count() > 1 ? true : undefined))
    await post(scene, id, 'pause')
    await scene.postgres.query(
      "update spool.loops set lease_fence = lease_fence + 1, lease_owner = 'gone', lease_until = now() where id = $1",
      [id],
    )
    const resting = await until(() => isResting(scene, id))
    assert.equal(resting.passes, 1)
    const [pass] = await scene.passes(id)
    assert.deepEqual([pass!.phase, pass!.attempt, pass!.gates.length], ['settled', 1, 1])
    await post(scene, id, 'cancel')
    await scene.ended(id)
  })
})

describe('a loop that somebody pauses, with a spool of its own,', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
  })
  afterEach(() => scene.stop())
  after(() => scene[Symbol.asyncDispose]())

  test('before its first pass does not start', async () => {
    const runs = createRuns()
    await scene.start({ parallel: 1 })
    const first = await scene.submit(runs.twoPasses())
    const { id } = await scene.submit()
    const { loop } = await post(scene, id, 'pause')
    assert.deepEqual([loop.state, loop.isHeld], ['paused', true])
    await scene.ended(first.id)
    await sleep(500)
    assert.equal((await scene.loop(id)).startedAt, null)
    await post(scene, id, 'resume')
    assert.equal((await scene.ended(id)).ending, 'done')
  })

  test('stays paused over a restart of the role', async () => {
    await scene.start()
    const runs = createRuns()
    const { id } = await scene.submit(runs.twoPasses())
    await until(async () => (runs.count() > 0 ? true : undefined))
    await post(scene, id, 'pause')
    await scene.stop()
    await scene.start()
    const loop = await until(() => isResting(scene, id))
    await sleep(500)
    assert.deepEqual([loop.isHeld, runs.count()], [true, 1])
    await post(scene, id, 'resume')
    assert.equal((await scene.ended(id)).ending, 'done')
  })
})
