import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { LoopEvent } from '../../spool/api.ts'
import { EventOrder, parseEvents } from './event-order.ts'

const event = (seq: number): LoopEvent => ({
  seq,
  at: '2026-01-01T00:00:00Z',
  loop: 'x',
  name: 'x',
  event: 'phase',
  pass: 1,
  phase: 'agent',
})

function start(read: (after: number) => Promise<LoopEvent[]>) {
  const applied: number[] = []
  const order = new EventOrder({ apply: ({ seq }) => applied.push(seq), read })
  return { order, applied }
}

test('counting begins with the first event, and a repeated one is left out', () => {
  const { order, applied } = start(async () => [])
  for (const seq of [7, 7, 8, 7, 9, 9]) order.take(event(seq))
  assert.deepEqual(applied, [7, 8, 9])
})

test('a missing event is read before those after it are applied', async () => {
  const asked: number[] = []
  const { order, applied } = start(async (after) => {
    asked.push(after)
    return [event(2), event(3), event(4)]
  })
  order.take(event(1))
  order.take(event(4))
  assert.deepEqual(applied, [1])
  await turn()
  assert.deepEqual(asked, [1])
  assert.deepEqual(applied, [1, 2, 3, 4])
})

test('events that come while the missing one is read wait for it', async () => {
  let answer: (events: LoopEvent[]) => void = () => {}
  const { order, applied } = start(() => new Promise((resolve) => (answer = resolve)))
  for (const seq of [1, 3, 4]) order.take(event(seq))
  answer([event(2), event(3)])
  await turn()
  assert.deepEqual(applied, [1, 2, 3, 4])
})

test('after a refusal the next event asks again', async () => {
  let fails = true
  const { order, applied } = start(async () => {
    if (fails) throw new Error('away')
    return [event(2), event(3), event(4)]
  })
  order.take(event(1))
  order.take(event(3))
  await turn()
  assert.deepEqual(applied, [1])
  fails = false
  order.take(event(4))
  await turn()
  assert.deepEqual(applied, [1, 2, 3, 4])
})

test('catching up reads what came after the last one, and nothing before the first', async () => {
  const asked: number[] = []
  const { order, applied } = start(async (after) => {
    asked.push(after)
    return [event(after + 1)]
  })
  await order.catchUp()
  assert.deepEqual(asked, [])
  order.take(event(5))
  await order.catchUp()
  assert.deepEqual([asked, applied], [[5], [5, 6]])
})

test('whatever the line drops and repeats, each event is applied once and in order', async () => {
  const sent = fc.array(fc.integer({ min: 2, max: 30 }), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(sent, async (seqs) => {
      const all = Array.from({ length: 31 }, (_, index) => event(index + 1))
      const { order, applied } = start(async (after) => all.filter(({ seq }) => seq > after))
      order.take(event(1))
      for (const seq of seqs) order.take(event(seq))
      await order.catchUp()
      await turn()
      assert.deepEqual(
        applied,
        applied.map((_, index) => index + 1),
      )
      assert.equal(applied.length, 31)
    }),
  )
})

test('events are lines of JSON with blank ones between', () => {
  const text = `${JSON.stringify(event(1))}\n\n${JSON.stringify(event(2))}\n`
  assert.deepEqual(
    parseEvents(text).map(({ seq }) => seq),
    [1, 2],
  )
})
