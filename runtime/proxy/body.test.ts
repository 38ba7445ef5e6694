import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ClientLeft, Collector } from './body.ts'

function start(bytesMax: number, store = { bytes: 0, bytesMax: 1_000 }) {
  let stops = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  promise.catch(() => {}) // Looked at by those who care.
  const stop = () => {
    stops += 1
  }
  const collector = new Collector({ bytesMax, store, resolve, reject, stop })
  return { collector, store, body: promise, stops: () => stops }
}

describe('a body', () => {
  test('is whole at its end, and what comes after is nothing to it', async () => {
    const { collector, store, body } = start(10)
    assert.equal(collector.expect(4), true)
    for (const part of ['ab', 'cd']) collector.take(Buffer.from(part))
    collector.end()
    collector.take(Buffer.from('ef'))
    assert.equal((await body).toString(), 'abcd')
    assert.equal(store.bytes, 4)
  })

  test('that announces too much is refused before a byte of it', async () => {
    const { collector, body, stops } = start(10)
    assert.equal(collector.expect(11), false)
    await assert.rejects(body, { code: 'body/too-large' })
    assert.equal(stops(), 1)
  })

  test('that grows too large is let go, and its room given back', async () => {
    const { collector, store, body, stops } = start(10)
    collector.take(Buffer.alloc(10))
    assert.equal(stops(), 0)
    collector.take(Buffer.alloc(1))
    await assert.rejects(body, { code: 'body/too-large' })
    assert.deepEqual([store.bytes, stops()], [0, 1])
  })

  test('has to wait where all of them together are too large', async () => {
    const store = { bytes: 0, bytesMax: 10 }
    const one = start(10, store)
    const other = start(10, store)
    one.collector.take(Buffer.alloc(6))
    other.collector.take(Buffer.alloc(5))
    await assert.rejects(other.body, { code: 'capacity/full', retryAfterS: 2 })
    assert.equal(store.bytes, 6)
    one.collector.end()
    assert.equal((await one.body).length, 6)
  })

  test('whose client left gives its room back', async () => {
    const { collector, store, body } = start(10)
    collector.take(Buffer.alloc(5))
    collector.leave()
    await assert.rejects(body, ClientLeft)
    assert.equal(store.bytes, 0)
  })
})
