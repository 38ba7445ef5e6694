import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { at, run, startInstance, type TestInstance, usageRow } from './testing.ts'

const call = {
  ...{ id: 'c1', org: 'o', loop: 'l-1', pass: 2, attempt: 1, sandbox: 'sb1', key: null },
  ...{ team: 'search', tags: { env: 'prod' }, endUser: 'u-1' },
  ...{ provider: 'google', model: 'gemini-2.5-pro', wire: 'gemini', isRehearsal: false },
  ...{ state: 'settled', status: 200, costNanoUsd: 4_200_000, isPriced: true },
  usage: { inputTokens: 1_005, cachedTokens: 600, cacheWriteTokens: 0, outputTokens: 42 },
  ...{ stopReason: 'STOP', toolCalls: 1, beganAt: at, endedAt: '2026-01-02T03:04:06.500Z' },
  ...{ firstByteMs: 312, error: null },
}
const nothing = { inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0 }
const deniedCall = {
  ...{ provider: null, state: 'denied', status: 403, usage: nothing, costNanoUsd: 0 },
  ...{ endedAt: at, firstByteMs: null, error: 'Spent.' },
}
const lines = [
  'BEGAN                 PASS  PROVIDER  MODEL           STATE        FIRST BYTE    TOOK    IN  CACHED  OUT     COST  ERROR',
  '2026-01-02 03:04:05Z     2  google    gemini-2.5-pro  settled 200      312 ms  822 ms  1.0k     600   42  $0.0042  -',
  '2026-01-02 03:04:05Z     2  -         gemini-2.5-pro  denied 403            -    0 ms     0       0    0  $0.0000  Spent.',
]

describe('usage and keys of providers', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance()
  })
  after(() => instance[Symbol.asyncDispose]())

  test('usage --calls has a line a call', async () => {
    const page = { items: [call, { ...call, ...deniedCall }], cursor: null }
    instance.routes['GET /api/calls'] = page
    const argv = ['usage', '--calls', '--loop', 'l-1', '--pass', '2']
    const { stdout } = await run(instance.folder, argv)
    assert.deepEqual(stdout.split('\n').slice(0, 3), lines)
    const { query } = instance.asked.at(-1)!
    assert.deepEqual(query, { loop: 'l-1', pass: '2', limit: '100' })
    assert.deepEqual(JSON.parse((await run(instance.folder, [...argv, '--json'])).stdout), page)
  })

  test('usage --csv gives numbers as they are, and no formula to a spreadsheet', async () => {
    const row = { ...usageRow, model: '=HYPERLINK("x"),y', loop: null }
    instance.routes['GET /api/usage'] = [row]
    const { stdout } = await run(instance.folder, ['usage', '--csv'])
    assert.deepEqual(stdout.split('\n'), [
      'day,provider,model,loop,rehearsal,calls,input_tokens,cached_tokens,cache_write_tokens,output_tokens,cost_usd,unpriced_calls,estimated_calls',
      `2026-01-02,claude,"'=HYPERLINK(""x""),y",,false,3,1500000,0,0,42,1.500000000,1,1`,
      '',
    ])
  })

  test('usage --by has a column for each, and says what it asks for', async () => {
    instance.routes['GET /api/usage'] = [
      { ...usageRow, team: 'search', endUser: 'u-1', tag: 'prod' },
    ]
    const argv = [
      'usage',
      '--by',
      'team,end-user,tag:env',
      '--tag',
      'env=prod',
      '--end-user',
      'u-1',
    ]
    const { stdout } = await run(instance.folder, argv)
    const [titles, row] = stdout.split('\n')
    assert.match(titles!, /LOOP +TEAM +END-USER +TAG:ENV +CALLS/)
    assert.match(row!, /- +search +u-1 +prod +3/)
    assert.deepEqual(instance.asked.at(-1)!.query, {
      ...{ days: '7', by: 'team,end-user,tag:env', tag: 'env=prod', endUser: 'u-1' },
    })
    const { stdout: csv } = await run(instance.folder, [...argv, '--csv'])
    assert.match(csv, /^day,provider,model,loop,team,end_user,tag_env,rehearsal,/)
  })

  test('usage --calls --csv has all that is known of a call', async () => {
    instance.routes['GET /api/calls'] = { items: [call], cursor: 'more_1' }
    const { stdout, stderr } = await run(instance.folder, ['usage', '--calls', '--csv'])
    const [titles, values] = stdout.split('\n').map((line) => line.split(','))
    const found = Object.fromEntries(titles!.map((title, i) => [title, values![i]]))
    assert.partialDeepStrictEqual(found, {
      ...{ call: 'c1', first_byte_ms: '312', wire: 'gemini', cost_usd: '0.004200000', error: '' },
      ...{ team: 'search', end_user: 'u-1', tags: 'env=prod' },
    })
    assert.match(stderr, /--cursor more_1/)
  })

  test('provider rotate sends the new key of its file, and prints it nowhere', async () => {
    const file = join(instance.folder, 'rotated.key')
    writeFileSync(file, 'sk-rotated\n')
    instance.routes['PUT /api/providers/claude'] = { name: 'claude' }
    const argv = ['provider', 'rotate', 'claude', '--key-file', file]
    const { stdout, stderr, code } = await run(instance.folder, argv)
    assert.equal(code, 0, stderr)
    assert.deepEqual(instance.asked.at(-1)?.body, { key: 'sk-rotated' })
    assert.match(stdout, /^Rotated the key of claude\.$/m)
    assert.doesNotMatch(stdout + stderr, /sk-rotated/)
  })

  for (const argv of [
    ['usage', '--csv', '--json'],
    ['usage', '--calls', '--days', '3'],
    ['usage', '--pass', '3'],
    ['usage', '--calls', '--by', 'team'],
    ['key', 'set', 'k1'],
    ['provider', 'set', 'claude'],
    ['provider', 'rotate', 'claude'],
    ['provider', 'add', 'x', '--kind', 'vertex', '--key-file', 'k'],
  ]) {
    test(`${argv.join(' ')} is wrong use, and asks nothing`, async () => {
      const before = instance.asked.length
      assert.equal((await run(instance.folder, argv)).code, 2)
      assert.equal(instance.asked.length, before)
    })
  }
})
