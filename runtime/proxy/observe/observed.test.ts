import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LiveCall } from '../api.ts'
import { type Family, Histogram, toText } from './exposition.ts'
import { createObserveAll, type Observed } from './observed.ts'
import { parseMetrics } from './testing.ts'

const liveAt = (id: string, second: number) =>
  ({ id, beganAt: `2026-11-20T10:00:0${second}.000Z` }) as LiveCall

function seen(calls: number, ...live: LiveCall[]): Observed {
  const histogram = new Histogram([1, 2])
  histogram.observe(1.5)
  const counter: Family = { name: 'a_total', help: 'A.', type: 'counter', samples: [] }
  return {
    families: [
      { ...counter, samples: [{ labels: { model: 'm' }, value: calls }] },
      { name: 'b', help: 'B.', type: 'histogram', samples: [{ labels: {}, histogram }] },
    ],
    live: { items: live, total: live.length },
  }
}

describe('what several processes saw', () => {
  const question = { org: null, limit: 2 }

  test('is one text, each sample with its process', async () => {
    const others = async () => [[1, structuredClone(seen(4))]] as [number, Observed][]
    const all = await createObserveAll({ observe: () => seen(3) }, { observe: others })(question)
    const found = parseMetrics(toText(all.families))
    assert.deepEqual(
      found.filter(({ name }) => name === 'a_total').map(({ labels, value }) => [labels, value]),
      [
        [{ model: 'm', worker: '0' }, 3],
        [{ model: 'm', worker: '1' }, 4],
      ],
    )
    assert.equal(found.filter(({ name }) => name === 'b_count').length, 2)
  })

  test('has no such label where there is one', async () => {
    const none = { observe: async () => [] }
    const all = await createObserveAll({ observe: () => seen(3) }, none)(question)
    assert.ok(!toText(all.families).includes('worker'))
  })

  test('has the calls of all, the oldest first, and counts those that it leaves out', async () => {
    const own = seen(0, liveAt('b', 2), liveAt('d', 4))
    const others = async () =>
      [[1, seen(0, liveAt('a', 1), liveAt('c', 3))]] as [number, Observed][]
    const { live } = await createObserveAll({ observe: () => own }, { observe: others })(question)
    assert.deepEqual([live.items.map(({ id }) => id), live.total], [['a', 'b'], 4])
  })
})
