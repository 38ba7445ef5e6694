import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLog } from '#kernel/log.ts'
import { startPrices } from './price-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'prices-'))
after(() => rmSync(folder, { recursive: true }))

const now = () => new Date('2026-11-22T00:00:00Z')
const usage = { inputTokens: 1_000, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0 }
const fileOf = (input: number, more: object = {}) =>
  JSON.stringify({ version: 1, models: [{ model: 'm-*', rates: { input }, ...more }] })

/** In one step, as an editor or a mounted config map does it. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

async function start(path: string) {
  const lines: string[] = []
  const out = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const log = createLog('info', out)
  const config = { prices: [], pricesFile: path }
  const source = await startPrices({ config, log, now, everyMs: 5 })
  const until = async (isSo: () => boolean) => {
    for (let tries = 0; !isSo(); tries += 1) {
      if (tries > 1_000) throw new Error('it never became so')
      await sleep(5)
    }
  }
  const cost = () => source.prices.costNanoUsd('openai', 'm-1', usage)
  return { source, lines, until, cost, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() }
}

describe("the operator's file of prices", () => {
  test('is taken over when it changes, and kept when the new one is wrong', async () => {
    const path = join(folder, 'one.json')
    put(path, fileOf(2))
    await using started = await start(path)
    assert.equal(started.cost(), 2_000_000)
    put(path, fileOf(3))
    await started.until(() => started.source.counts.taken === 2)
    assert.equal(started.cost(), 3_000_000)
    for (const [count, wrong] of [
      '{',
      fileOf(-1),
      fileOf(4, { colour: 'red' }),
      'null',
    ].entries()) {
      put(path, wrong)
      await started.until(() => started.source.counts.refused === count + 1)
      assert.equal(started.cost(), 3_000_000)
    }
    assert.match(started.lines.join(''), /colour/)
    put(path, fileOf(5))
    await started.until(() => started.source.counts.taken === 3)
    assert.equal(started.cost(), 5_000_000)
  })

  test('that goes away changes nothing', async () => {
    const path = join(folder, 'two.json')
    put(path, fileOf(2))
    await using started = await start(path)
    rmSync(path)
    await started.until(() => started.source.counts.refused === 1)
    assert.equal(started.cost(), 2_000_000)
  })

  test('that is wrong from the start is an error that names what is wrong', async () => {
    const path = join(folder, 'three.json')
    put(path, fileOf(0.0000001))
    await assert.rejects(start(path), /models\.0\.rates\.input.*six decimal places/s)
  })
})
