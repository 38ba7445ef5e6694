import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { after, before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { createTestDeps, type TestDeps } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { NewLoop } from './api.ts'
import { type Held, holdLoop, LeaseLost } from './runner/lease.ts'
import { type Claim, claimLoop, type Lease, releaseLoop, renewLease } from './sql/leases.ts'
import { insertLoop } from './sql/loops.ts'
import { insertPass } from './sql/passes.ts'
import { newLoop } from './testing/scene.ts'

describe('leases', () => {
  let postgres: TestPostgres
  let deps: TestDeps
  before(async () => {
    postgres = await startPostgres()
    deps = await createTestDeps('spool', { postgres })
  })
  beforeEach(() => postgres.query('truncate spool.loops cascade'))
  after(async () => {
    await deps[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  const put = async (org: string, name: string): Promise<string> => {
    const id = randomUUID()
    const spec = NewLoop.parse(newLoop('/x', { name }))
    await deps.db.query(insertLoop({ id, org, user: 'u', spec, retryOf: null, isTrusted: true }))
    return id
  }
  const claim = async (owner: string, more: Partial<Claim> = {}): Promise<Lease | null> => {
    const row = await deps.db.maybeOne(
      claimLoop({ owner, leaseMs: 60_000, held: [], only: 'any', ...more }),
    )
    return row && { id: row.id, owner, fence: row.fence }
  }
  const expire = (id: string) =>
    postgres.query("update spool.loops set lease_until = now() - interval '1 ms' where id = $1", [
      id,
    ])

  test('organisations take turns, however many loops one has', async () => {
    for (const name of ['a1', 'a2', 'a3', 'a4']) await put('a', name)
    for (const name of ['b1', 'b2']) await put('b', name)
    const held: string[] = []
    const orgs: string[] = []
    for (let turn = 0; turn < 6; turn += 1) {
      const lease = (await claim('me', { held }))!
      held.push(lease.id)
      orgs.push(
        String(
          (await postgres.query('select name from spool.loops where id = $1', [lease.id]))[0]![
            'name'
          ],
        ),
      )
    }
    assert.deepEqual(orgs, ['a1', 'b1', 'a2', 'b2', 'a3', 'a4'])
  })

  test('an older loop goes on with its next pass before a younger one of its organisation starts', async () => {
    const first = await put('a', 'first')
    await put('a', 'second')
    assert.equal((await claim('me'))!.id, first)
    await deps.db.query(releaseLoop(first))
    assert.equal((await claim('me'))!.id, first)
  })

  test('of twenty takers at once, each gets another loop', async () => {
    for (let at = 0; at < 20; at += 1) await put('a', `n${at}`)
    const leases = await Promise.all(Array.from({ length: 20 }, (_, at) => claim(`owner-${at}`)))
    assert.equal(new Set(leases.map((lease) => lease?.id)).size, 20)
  })

  test('a lease that runs is taken by nobody else, and by its owner after a restart', async () => {
    const id = await put('a', 'x')
    await claim('me')
    assert.equal(await claim('you'), null)
    assert.equal(await claim('me', { held: [id] }), null)
    assert.deepEqual(await claim('me'), { id, owner: 'me', fence: 2 })
  })

  test('a lease that ran out is taken by another, and its old fence writes nothing', async () => {
    const id = await put('a', 'x')
    const old = (await claim('me'))!
    await expire(id)
    const now = (await claim('you'))!
    assert.deepEqual(now, { id, owner: 'you', fence: 2 })
    assert.equal(await deps.db.maybeOne(renewLease(old, 1_000)), null)
    await using held = hold(old)
    await assert.rejects(
      held.write((tx) => tx.query(insertPass(id, 1))),
      LeaseLost,
    )
    assert.ok(held.signal.aborted)
    assert.deepEqual(await postgres.query('select * from spool.passes'), [])
  })

  test('what only waits for its end is taken by a full process too', async () => {
    const id = await put('a', 'x')
    assert.equal(await claim('me', { only: 'cancelled' }), null)
    await postgres.query('update spool.loops set cancelled_at = now() where id = $1', [id])
    assert.equal((await claim('me', { only: 'cancelled' }))!.id, id)
  })

  test('a heartbeat keeps the lease, and tells of a cancellation', async () => {
    const id = await put('a', 'x')
    await using held = hold((await claim('me', { leaseMs: 900 }))!, 900)
    const cancelled = once(held.cancelled, 'abort') // Before it can come: a heartbeat is never far.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    assert.equal(await claim('you'), null)
    await postgres.query('update spool.loops set cancelled_at = now() where id = $1', [id])
    await cancelled
  })

  const hold = (lease: Lease, leaseMs = 60_000): Held =>
    holdLoop(lease, {
      db: deps.db,
      log: deps.log,
      leaseMs,
      outageMsMax: 5_000,
      stop: new AbortController().signal,
      onWritten: () => {},
    })

  type Step = { owner: 'a' | 'b'; does: 'claim' | 'write' | 'renew' | 'release' | 'expire' }
  const step: fc.Arbitrary<Step> = fc.record({
    owner: fc.constantFrom('a' as const, 'b' as const),
    does: fc.constantFrom('claim', 'write', 'renew', 'release', 'expire'),
  })

  test('whatever two owners do in turn, only the one with the newest lease ever writes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        await postgres.query('truncate spool.loops cascade')
        const id = await put('a', 'x')
        await play(id, steps)
      }),
      { numRuns: 15 }, // Each step is a statement or a transaction.
    )
  })

  /** Beside the real thing runs a model: whose lease is the newest, and whether it runs still. */
  async function play(id: string, steps: Step[]): Promise<void> {
    const leases = new Map<string, Lease>()
    let holder: string | undefined
    let isRunning = false
    for (const { owner, does } of steps) {
      const mine = leases.get(owner)
      if (does === 'expire') {
        await expire(id)
        isRunning = false
      } else if (does === 'claim') {
        const mayTake: boolean = holder === undefined || !isRunning || holder === owner
        const lease = await claim(owner)
        assert.equal(lease !== null, mayTake)
        if (lease) [holder, isRunning] = [owner, true]
        if (lease) leases.set(owner, lease)
      } else if (mine && does === 'renew') {
        const isMine = (await deps.db.maybeOne(renewLease(mine, 60_000))) !== null
        assert.equal(isMine, holder === owner)
        if (isMine) isRunning = true
      } else if (mine) {
        await using held = hold(mine)
        await new Promise((resolve) => setImmediate(resolve))
        const wrote = held.write((tx) =>
          tx.query(does === 'write' ? insertPass(id, 1) : releaseLoop(id)),
        )
        if (holder === owner) await wrote
        else await assert.rejects(wrote)
        if (holder === owner) isRunning = true // Holding begins with a heartbeat.
        if (holder === owner && does === 'release') holder = undefined
      }
    }
  }
})
