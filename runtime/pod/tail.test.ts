import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTail } from './tail.ts'

test('a tail holds the end of whatever was pushed, in any pieces', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.integer({ min: 0, max: 30 }),
      (bytesMax, pieces, wanted) => {
        const tail = createTail(bytesMax)
        for (const piece of pieces) tail.push(Buffer.from(piece))
        const all = Buffer.concat(pieces)
        const length = Math.min(wanted, bytesMax, all.length)
        assert.equal(tail.totalBytes, all.length)
        assert.deepEqual(tail.last(wanted), Buffer.from(all.subarray(all.length - length)))
        assert.equal(tail.startOffset, Math.max(0, all.length - bytesMax))
        for (let at = tail.startOffset; at <= all.length; at += 1) {
          assert.deepEqual(tail.slice(at, wanted), Buffer.from(all.subarray(at, at + wanted)))
        }
      },
    ),
  )
})
