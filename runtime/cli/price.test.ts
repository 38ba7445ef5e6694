import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { PriceRow } from '../proxy/api.ts'
import { run, startInstance, type TestInstance } from './testing.ts'

const rates = { cached: 0.5, cacheWrite5m: 6.25, cacheWrite1h: 10, output: 25, reasoning: 25 }
const row: PriceRow = {
  ...{ kind: 'anthropic', model: 'claude-opus-4-5', source: 'list' },
  tiers: [
    { above: 0, input: 5, ...rates },
    { above: 200_000, input: 10, ...rates },
  ],
  serverTools: { web_search: { usd: 0.01, usesMax: null } },
  serviceTiers: { batch: 0.5 },
  ...{ contextTokensMax: 200_000, outputTokensMax: 64_000 },
}
const unknown: PriceRow = {
  ...{ kind: 'openai', model: 'mine', source: null, tiers: [], serverTools: {}, serviceTiers: {} },
  ...{ contextTokensMax: null, outputTokensMax: null },
}

describe('prices on the command line', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance({ 'GET /api/prices': [row, unknown] })
  })
  after(() => instance[Symbol.asyncDispose]())

  test('price list has a line a model, and a dash where there is no price', async () => {
    const { stdout } = await run(instance.folder, ['price', 'list'])
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      'KIND       MODEL            FROM  IN  CACHED  WRITE 5M  WRITE 1H  OUT  CONTEXT  ANSWER',
      'anthropic  claude-opus-4-5  list  $5    $0.5     $6.25       $10  $25   200.0k   64.0k',
      'openai     mine             -      -       -         -         -    -        -       -',
    ])
  })

  test('price show tells tiers, tools and limits of one model', async () => {
    instance.routes['GET /api/prices'] = [row]
    const { stdout } = await run(instance.folder, ['price', 'show', 'claude-opus-4-5'])
    assert.deepEqual(instance.asked.at(-1)!.query, { model: 'claude-opus-4-5' })
    assert.match(stdout, /^over 200\.0k {2}in \$10, cached \$0\.5/m)
    assert.match(stdout, /^tools {8}web_search \$0\.01$/m)
    assert.match(stdout, /^answer {7}64000$/m)
    const { stdout: json } = await run(instance.folder, ['price', 'show', 'm', '--json'])
    assert.deepEqual(JSON.parse(json), [row])
  })

  test('price check sends the file, says what is wrong, and ends with 1', async () => {
    const file = join(instance.folder, 'prices.json')
    writeFileSync(file, '{"version":1,"models":[]}')
    const check = () => run(instance.folder, ['price', 'check', file])
    instance.routes['POST /api/prices/check'] = { ok: true, models: 1, problems: [] }
    const right = await check()
    assert.deepEqual([right.code, right.stdout], [0, 'The file is right: 1 entry.\n'])
    assert.deepEqual(instance.asked.at(-1)!.body, { version: 1, models: [] })
    const problem = { path: 'models.0.rates.input', value: '-1', message: 'Too small.' }
    instance.routes['POST /api/prices/check'] = { ok: false, models: 0, problems: [problem] }
    const wrong = await check()
    assert.deepEqual([wrong.code, wrong.stdout], [1, 'models.0.rates.input = -1: Too small.\n'])
    writeFileSync(file, '{')
    assert.equal((await check()).code, 2)
  })
})
