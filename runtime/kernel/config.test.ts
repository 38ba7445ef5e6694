import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillPlaces, mergeLayers } from './config.ts'

test('a later layer changes single keys and leaves the rest', () => {
  const merged = mergeLayers([
    { a: { x: 1, y: 2 }, list: [1, 2] },
    { a: { y: 3 }, list: [9] },
  ])
  assert.deepEqual(merged, { a: { x: 1, y: 3 }, list: [9] })
})

test('an empty layer changes nothing', () => {
  assert.deepEqual(mergeLayers([{ a: null }, {}]), { a: null })
})

test('places are filled at any depth, and an unknown one stays for the schema to refuse', () => {
  const filled = fillPlaces({ a: ['{run}/x', { b: '{nowhere}' }], n: 1 }, { run: '/r' })
  assert.deepEqual(filled, { a: ['/r/x', { b: '{nowhere}' }], n: 1 })
})
