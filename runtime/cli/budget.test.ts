import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Budget, BudgetUse } from '../proxy/api.ts'
import { at, run, startInstance, type TestInstance } from './testing.ts'

const budget: Budget = {
  ...{ name: 'daily', level: 'key', subject: 'key-1', model: 'claude-*', unit: 'usd' },
  ...{ amount: 20_000_000_000, window: 'day', zone: 'Europe/Berlin', clip: 'allow' },
  ...{ clipTokensMin: 512, enforce: 'refuse', enabled: true, raise: null },
  ...{ madeBy: 'olga', createdAt: at },
}
const use: BudgetUse = {
  ...{ name: 'daily', unit: 'usd', amount: 20_000_000_000, used: 5_000_000_000 },
  ...{ leased: 400_000_000, reserved: 100_000_000, left: 14_600_000_000 },
  ...{ from: at, resetsAt: '2026-01-02T23:00:00.000Z' },
}

describe('treadle budget', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance({
      'POST /api/budgets': budget,
      'GET /api/budgets': { items: [budget], cursor: null },
      'GET /api/budgets/daily': budget,
      'GET /api/budgets/daily/use': use,
      'PUT /api/budgets/daily': { ...budget, amount: 30_000_000_000 },
      'POST /api/budgets/daily/raise': {
        ...budget,
        raise: { amount: 50_000_000_000, until: '2999-01-01T00:00:00.000Z' },
      },
      'DELETE /api/budgets/daily': {},
    })
  })
  after(() => instance[Symbol.asyncDispose]())
  const treadle = (text: string) => run(instance.folder, ['budget', ...text.split(' ')])
  const body = () => instance.asked.at(-1)!.body

  test('add sends dollars as whole nano-dollars, and says what it made', async () => {
    const flags =
      '--usd 19.99 --per day --zone Europe/Berlin --level key --subject key-1 --clip 512'
    const { stdout, code, stderr } = await treadle(`add daily ${flags} --model claude-*`)
    assert.equal(code, 0, stderr)
    assert.deepEqual(body(), {
      ...{ name: 'daily', unit: 'usd', amount: 19_990_000_000, window: 'day', level: 'key' },
      ...{ zone: 'Europe/Berlin', subject: 'key-1', model: 'claude-*', clip: 'allow' },
      clipTokensMin: 512,
    })
    assert.equal(stdout, 'Added daily: $20.0000 a day, key key-1, claude-*.\n')
  })

  test('list has a line a budget', async () => {
    const { stdout } = await treadle('list')
    assert.deepEqual(stdout.split('\n').slice(0, 2), [
      'NAME   FOR                  LIMIT           ZONE           CLIP           STATE',
      'daily  key key-1, claude-*  $20.0000 a day  Europe/Berlin  to 512 tokens  on',
    ])
  })

  test('show says what is used, leased and left, and when it resets', async () => {
    const { stdout } = await treadle('show daily')
    assert.match(stdout, /^used +\$5\.0000 \(25 %\)$/m)
    assert.match(stdout, /^leased +\$0\.4000, \$0\.1000 of it by calls in flight here$/m)
    assert.match(stdout, /^left +\$14\.6000$/m)
    assert.match(stdout, /^resets +2026-01-02 23:00:00Z \(Europe\/Berlin\)$/m)
    const whole = JSON.parse((await treadle('show daily --json')).stdout)
    assert.deepEqual(whole, { ...budget, use })
  })

  test('set changes what is named, and refuses another unit than the budget has', async () => {
    const { stdout } = await treadle('set daily --usd 30 --no-clip --turn off --end-raise')
    assert.deepEqual(body(), { amount: 30_000_000_000, clip: 'off', enabled: false, raise: null })
    assert.equal(stdout, 'Changed daily: $30.0000 a day, on.\n')
    const wrong = await treadle('set daily --tokens 30')
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /daily counts usd: give --usd/)
  })

  test('raise sends the moment at which it ends', async () => {
    const { stdout } = await treadle('raise daily --usd 50 --for 8h')
    const { amount, until } = body() as { amount: number; until: string }
    assert.equal(amount, 50_000_000_000)
    assert.ok(Math.abs(Date.parse(until) - Date.now() - 8 * 3_600_000) < 60_000)
    assert.match(stdout, /^Raised daily to \$50\.0000 until 2999-01-01 00:00:00Z\.$/m)
  })

  test('remove deletes it by its name', async () => {
    assert.equal((await treadle('remove daily')).stdout, 'Removed daily.\n')
    assert.equal(instance.asked.at(-1)!.method, 'DELETE')
  })

  for (const argv of [
    'add x',
    'add x --usd 1 --tokens 2',
    'add x --usd 1e9',
    'add x --usd 1 --per year',
    'set daily',
    'raise daily --usd 3 --for long',
  ]) {
    test(`budget ${argv} is used wrongly, and asks nothing`, async () => {
      const before = instance.asked.length
      assert.equal((await treadle(argv)).code, 2)
      assert.equal(instance.asked.length, before)
    })
  }
})
