import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createTestDeps, type TestDeps } from '../../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { Refusal } from '../refusal.ts'
import { until } from '../testing/stage.ts'
import { createStored } from './stored.ts'

const isRefused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code

describe('responses that are stored at their vendor', () => {
  const owned = new AsyncDisposableStack()
  const clock = { at: new Date('2026-01-01T00:00:00Z') }
  let postgres: TestPostgres
  let deps: TestDeps
  before(async () => {
    postgres = owned.use(await startPostgres())
    const now = () => clock.at
    deps = owned.use(await createTestDeps('proxy', { postgres, now }))
  })
  after(() => owned.disposeAsync())
  const create = () => createStored(deps)
  const count = async () => (await postgres.query('select 1 from proxy.stored_responses')).length

  test('one is found at once, and by another process once it is written', async () => {
    const [one, other] = [create(), create()]
    one.record('resp_1', 'north', 'a')
    assert.equal(one.find('resp_1', 'north'), 'a') // Without a wait.
    await assert.rejects(async () => other.find('resp_1', 'north'), isRefused('response/absent'))
    await one.write()
    assert.equal(await other.find('resp_1', 'north'), 'a')
    assert.equal(other.find('resp_1', 'north'), 'a')
  })

  test('an id of another organisation is as unknown as none', async () => {
    const stored = create()
    stored.record('resp_2', 'north', 'a')
    await stored.write()
    for (const id of ['resp_2', 'resp_none']) {
      await assert.rejects(async () => stored.find(id, 'south'), isRefused('response/absent'))
    }
    stored.record('resp_2', 'south', 'b') // Its own vendor may give the same id.
    await stored.write()
    assert.deepEqual([stored.find('resp_2', 'north'), stored.find('resp_2', 'south')], ['a', 'b'])
  })

  test('what is no id is refused without a look', () => {
    for (const id of ['', 'a b', "'", 'x'.repeat(201)]) {
      assert.throws(() => create().find(id, 'north'), isRefused('response/absent'))
    }
  })

  test('one that was deleted is unknown, in memory and in the table', async () => {
    const stored = create()
    stored.record('resp_3', 'north', 'a')
    await stored.write()
    stored.forget('resp_3', 'north')
    await stored.write()
    await assert.rejects(async () => stored.find('resp_3', 'north'), isRefused('response/absent'))
  })

  test('after thirty-five days it is dropped, for its vendor has dropped it', async () => {
    const stored = create()
    stored.record('resp_4', 'north', 'a')
    await stored.write()
    clock.at = new Date(clock.at.getTime() + 36 * 86_400_000)
    await stored.write()
    assert.equal(await count(), 0)
  })

  test('while the database is away, what is known is found, and the rest can not be told', async () => {
    const stored = create()
    stored.record('resp_5', 'north', 'a')
    await postgres.kill()
    assert.equal(stored.find('resp_5', 'north'), 'a')
    const began = performance.now()
    await assert.rejects(
      async () => stored.find('resp_6', 'north'),
      (error) => error instanceof Refusal && error.code === 'responses/unknown',
    )
    assert.ok(performance.now() - began < 5_000)
    await assert.rejects(stored.write())
    await postgres.start()
    await until(
      () =>
        stored.write().then(
          () => true,
          () => false,
        ),
      20_000,
    )
    assert.equal(await create().find('resp_5', 'north'), 'a')
  })
})
