import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestWeaver, type TestWeaver } from './testing.ts'

const warmIds = async (weaver: TestWeaver) => {
  const rows = await weaver.postgres.query(
    "select id from weaver.sandboxes where state = 'warm' order by id",
  )
  return rows.map(({ id }) => id as string)
}

async function waitForWarm(weaver: TestWeaver, count: number): Promise<string[]> {
  for (let look = 0; look < 100; look += 1) {
    const ids = await warmIds(weaver)
    if (ids.length === count) return ids
    await sleep(100)
  }
  throw new Error(`never ${count} warm sandboxes`)
}

test('after the first use warm sandboxes wait, serve one request each, and fill up', async () => {
  await using weaver = await startTestWeaver({ config: { warmMax: 2 } })
  assert.deepEqual(await warmIds(weaver), [])
  const first = await weaver.create()
  assert.equal(first.wasWarm, false)
  const waiting = await waitForWarm(weaver, 2)
  const taken = await Promise.all([weaver.create({ loop: 'a' }), weaver.create({ loop: 'b' })])
  assert.deepEqual(taken.map(({ id }) => id).sort(), waiting)
  assert.deepEqual(
    taken.map(({ wasWarm }) => wasWarm),
    [true, true],
  )
  assert.equal(
    (await weaver.exec(taken[0]!.id, 'ls -A /work ~ /tmp')).output.includes('secret'),
    false,
  )
  await waitForWarm(weaver, 2)
})

test('a warm sandbox has no token, no line and no row that people see', async () => {
  await using weaver = await startTestWeaver({ config: { warmMax: 1 } })
  const { id } = await weaver.create()
  const [warm] = await waitForWarm(weaver, 1)
  assert.equal((await weaver.call('GET', `/api/sandboxes/${warm}`)).status, 404)
  const { items } = (await (await weaver.call('GET', '/api/sandboxes')).json()) as {
    items: { id: string }[]
  }
  assert.deepEqual(
    items.map((item) => item.id),
    [id],
  )
})

test('five requests at once get five sandboxes of their own', async () => {
  await using weaver = await startTestWeaver({ config: { warmMax: 2, sandboxesMax: 16 } })
  await weaver.create()
  await waitForWarm(weaver, 2)
  const made = await Promise.all(
    Array.from({ length: 5 }, (_, index) => weaver.create({ loop: `loop-${index}` })),
  )
  assert.equal(new Set(made.map(({ id }) => id)).size, 5)
})
