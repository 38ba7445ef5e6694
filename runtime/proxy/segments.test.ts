import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { openSegments, type Position, type Segments } from './segments.ts'

describe('segments', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'segments-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = (segmentBytesMax = 40) =>
    openSegments({ folder, name: 'x', segmentBytesMax, syncMs: 1 })
  const readAll = async (segments: Segments, from: Position = segments.start(), bytesMax = 16) => {
    const all: string[] = []
    for (let at = from; ; ) {
      const { lines, next } = await segments.read(at, bytesMax)
      if (lines.length === 0) return { all, at: next }
      all.push(...lines)
      at = next
    }
  }
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i} ${'é'.repeat(i)}`)

  test('lines come back in order, across segments and windows smaller than a line', async () => {
    using segments = open()
    for (const line of lines) segments.append(line)
    assert.deepEqual((await readAll(segments)).all, lines)
    assert.ok(readdirSync(folder).length > 3)
  })

  test('reading goes on where it ended', async () => {
    using segments = open()
    for (const line of lines.slice(0, 9)) segments.append(line)
    const { at } = await readAll(segments)
    assert.deepEqual((await readAll(segments, at)).all, [])
    for (const line of lines.slice(9)) segments.append(line)
    assert.deepEqual((await readAll(segments, at)).all, lines.slice(9))
  })

  test('after a restart all lines are there, and a torn one is not', async () => {
    {
      using segments = open(1_000)
      for (const line of lines) segments.append(line)
    }
    appendFileSync(join(folder, readdirSync(folder)[0]!), '{"torn')
    using segments = open(1_000)
    segments.append('after')
    assert.deepEqual((await readAll(segments)).all, [...lines, 'after'])
  })

  test('what is discarded is gone from disk, the current segment never', async () => {
    using segments = open()
    for (const line of lines) segments.append(line)
    segments.discardBefore(segments.end().segment + 5)
    assert.equal(readdirSync(folder).length, 1)
    assert.equal(segments.bytes(), segments.end().offset)
    segments.append('still')
    assert.equal((await readAll(segments)).all.at(-1), 'still')
  })

  test('are their owner’s alone to read', () => {
    const path = join(folder, 'deeper')
    using segments = openSegments({ folder: path, name: 'x', segmentBytesMax: 40, syncMs: null })
    segments.append('a')
    assert.equal(statSync(path).mode & 0o777, 0o700)
    for (const name of readdirSync(path))
      assert.equal(statSync(join(path, name)).mode & 0o777, 0o600)
  })
})
