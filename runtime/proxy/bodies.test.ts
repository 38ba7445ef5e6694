import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createBodies } from './bodies.ts'
import { commonEnd, commonStart } from './overlap.ts'

const large = (start: string, bytes = 40_000) => Buffer.from(start + 'x'.repeat(bytes))
const known = (call: string, body: Buffer) => ({ call, body, trail: null })

describe('the last bodies', () => {
  test('finds the one that another goes on from, and takes its place', () => {
    const bodies = createBodies()
    const first = large('one')
    bodies.keep('s', known('1', first), null)
    const second = Buffer.concat([first, Buffer.from('more')])
    const alike = bodies.find('s', second)
    assert.equal(alike?.known.call, '1')
    assert.equal(alike?.bytes, first.length)
    bodies.keep('s', known('2', second), alike)
    assert.equal(bodies.find('s', second)?.known.call, '2')
    assert.equal(bodies.find('other', second), null)
  })

  test('keeps two conversations of a session apart, and of three the last two', () => {
    const bodies = createBodies()
    const [one, two, three] = [large('one'), large('two'), large('three')]
    bodies.keep('s', known('1', one), null)
    bodies.keep('s', known('2', two), bodies.find('s', two))
    assert.equal(bodies.find('s', one)?.known.call, '1')
    bodies.keep('s', known('3', three), bodies.find('s', three))
    assert.equal(bodies.find('s', one), null)
    assert.equal(bodies.find('s', two)?.known.call, '2')
  })

  test('leaves out what is small or huge, and the oldest beyond its bound', () => {
    const bodies = createBodies()
    const small = Buffer.from('{}')
    assert.equal(bodies.keep('s', known('1', small), null), null)
    assert.equal(bodies.keep('s', known('1', large('', 5_000_000)), null), null)
    const body = large('', 4_000_000)
    for (let i = 0; i < 20; i += 1) bodies.keep(`s${i}`, known(`${i}`, body), null)
    const found = Array.from({ length: 20 }, (_, i) => bodies.find(`s${i}`, body) !== null)
    assert.deepEqual(found, [...Array(12).fill(false), ...Array(8).fill(true)])
  })

  test('tells to the byte what two bodies have in common', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(0, 1, 65_535, 65_536, 65_537, 200_000).map((n) => new Uint8Array(n)),
    )
    fc.assert(
      fc.property(piece, piece, piece, piece, (start, one, two, end) => {
        const a = Buffer.concat([start, one, end])
        const b = Buffer.concat([start, two, end])
        const least = Math.min(a.length, b.length)
        const from = a.findIndex((byte, at) => byte !== b[at])
        const isPrefix = from < 0 || from >= least
        assert.equal(commonStart(a, b), isPrefix ? least : from)
        const back = a.toReversed()
        const other = b.toReversed()
        const to = back.findIndex((byte, at) => byte !== other[at])
        const most = to < 0 || to >= least ? least : to
        assert.equal(commonEnd(a, b, a.length), most)
        assert.equal(commonEnd(a, b, 9), Math.min(9, most))
      }),
      { numRuns: 100 },
    )
  })
})
