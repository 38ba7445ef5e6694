import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { Refusal } from '../refusal.ts'
import type { Budget } from './budget.ts'
import { Bank, budgetOf, Desk, flat, spenderOf } from './testing/bank.ts'

const refusalOf = async (promise: Promise<unknown>): Promise<Refusal> => {
  const error = await promise.then(
    () => assert.fail('it was let in'),
    (refused: unknown) => refused,
  )
  assert.ok(error instanceof Refusal, String(error))
  return error
}

describe('a reservation', () => {
  let bank: Bank
  let atMs = Date.parse('2026-11-29T12:00:00Z')
  const now = () => atMs
  const open = (...budgets: Partial<Budget>[]) => {
    for (const [index, budget] of budgets.entries()) {
      const made = budgetOf({ id: index + 1, name: `b-${index + 1}`, ...budget })
      bank.budgets.set(made.id, made)
    }
    return new Desk(bank, 'journal-1', now)
  }
  beforeEach(() => {
    bank = new Bank()
    atMs = Date.parse('2026-11-29T12:00:00Z')
  })

  test('without any budget holds nothing, and says nothing to the ledger', async () => {
    const desk = open({ org: 'south' })
    const made = await desk.call(flat(5))
    assert.equal(made.toLine(), null)
    assert.equal(bank.asks, 0)
  })

  test('is held in all budgets or in none', async () => {
    const desk = open({ amount: 1_000 }, { level: 'user', subject: 'mia', amount: 100 })
    const refused = await refusalOf(desk.call(flat(500)))
    assert.equal(refused.code, 'budget/usd')
    assert.match(refused.message, /Budget b-2 \(user mia/)
    const [first] = desk.engine.matcher.find(spenderOf()).at(atMs).accounts
    assert.equal(first!.held, 0)
    const made = await desk.call(flat(80))
    assert.equal(first!.held, 80)
    desk.end(made, 30)
    assert.deepEqual([first!.held, first!.spent], [0, 30])
  })

  test('answers at once, without a promise, where memory suffices', async () => {
    const desk = open({ amount: 1_000_000 })
    desk.end(await desk.call(flat(5_000)), 1)
    const wanted = { outputTokens: 1, inputTokens: 1 }
    const made = desk.engine.reserve.reserve({ spender: spenderOf(), boundOf: flat(100), wanted })
    assert.ok(!(made instanceof Promise))
  })

  test('matches by level, subject and model, and a star stands for any ending', async () => {
    const desk = open(
      { level: 'key', subject: 'key-1' },
      { level: 'key', subject: 'key-2' },
      { level: 'model', subject: 'm-*' },
      { level: 'model', subject: 'm-1' },
      { level: 'team', subject: 'red', model: 'other' },
      { level: 'team', subject: 'red' },
      { level: 'org', enabled: false },
    )
    const { budgets } = desk.engine.matcher.find(spenderOf({ team: 'red' }))
    assert.deepEqual(budgets.map(({ budget }) => budget.id).sort(), [1, 3, 4, 6])
    assert.equal(
      desk.engine.matcher.find(spenderOf({ key: 'key-3', model: 'x' })).budgets.length,
      0,
    )
  })

  test('of a spent budget is refused with what is used, when it resets and who can raise it', async () => {
    const desk = open({
      amount: 1_000_000_000,
      window: 'day',
      zone: 'Europe/Berlin',
      name: 'daily',
    })
    desk.end(await desk.call(flat(900_000_000)), 900_000_000)
    const { code, message } = await refusalOf(desk.call(flat(200_000_000)))
    assert.equal(code, 'budget/usd')
    assert.match(
      message,
      /Budget daily \(org, \$1\.0000 a day\): it has used \$0\.9000 of \$1\.0000/,
    )
    assert.match(message, /This call can come to \$0\.2000\./)
    assert.match(message, /It resets at 2026-11-29T23:00:00\.000Z, in 11 h 00 m\./)
    assert.match(message, /An owner of the organisation can raise it: treadle budget set daily/)
  })

  test('of a budget that is spent for certain is refused without asking anybody', async () => {
    const desk = open({ amount: 1_000 })
    desk.end(await desk.call(flat(1_000)), 1_000)
    await desk.engine.leases.settled()
    const { asks } = bank
    const wanted = { outputTokens: 1, inputTokens: 1 }
    const ask = { spender: spenderOf(), boundOf: flat(1), wanted }
    assert.throws(() => desk.engine.reserve.reserve(ask), { code: 'budget/usd' })
    assert.equal(bank.asks, asks)
  })

  test('that others only hold is told to wait, and is let in when one of them ends', async () => {
    const desk = open({ amount: 1_000 })
    const first = await desk.call(flat(900))
    const refused = await refusalOf(desk.call(flat(200)))
    assert.deepEqual([refused.code, refused.retryAfterS], ['budget/wait', 5])
    assert.match(refused.message, /calls in flight hold/)
    const second = desk.call(flat(200))
    desk.end(first, 10)
    desk.end(await second, 10)
  })

  test('of a budget by the minute is told to wait for its reset, which is a rate', async () => {
    const desk = open({ unit: 'requests', amount: 1, window: 'minute' })
    desk.end(await desk.call(flat(1)), 1)
    atMs += 45_000
    const refused = await refusalOf(desk.call(flat(1)))
    assert.deepEqual([refused.code, refused.retryAfterS], ['budget/wait', 15])
  })

  test('counts tokens and requests, each in its unit', async () => {
    const desk = open({ unit: 'tokens', amount: 100 }, { unit: 'requests', amount: 2 })
    desk.end(await desk.call(flat(9, 60)), 9, 40)
    assert.equal((await refusalOf(desk.call(flat(9, 70)))).code, 'budget/tokens')
    desk.leave(await desk.call(flat(9, 60)))
    desk.end(await desk.call(flat(9, 60)), 9, 1)
    assert.equal((await refusalOf(desk.call(flat(9, 1)))).code, 'budget/requests')
  })

  test('of a call without a price is refused by a budget in dollars, and by no other', async () => {
    const desk = open({ level: 'key', subject: 'key-1' }, { unit: 'tokens' })
    const unpriced = () => ({ nanoUsd: null, tokens: 10 })
    assert.equal((await refusalOf(desk.call(unpriced))).code, 'price/none')
    desk.end(await desk.call(unpriced, spenderOf({ key: 'key-2' })), 0, 10)
  })

  test('is clipped to what fits, to the token, where all who lack room allow it', async () => {
    const perToken = (outputTokens: number) => ({
      nanoUsd: 100 + outputTokens * 7,
      tokens: 50 + outputTokens,
    })
    const desk = open(
      { amount: 1_000, clip: 'allow', clipTokensMin: 16 },
      { unit: 'tokens', amount: 150, clip: 'allow', clipTokensMin: 16 },
    )
    const made = await desk.call(perToken, spenderOf(), 4_000)
    assert.equal(made.outputTokensMax, 100)
    desk.end(made, 800, 150)
    assert.equal((await refusalOf(desk.call(perToken, spenderOf(), 4_000))).code, 'budget/usd')
  })

  test('is not clipped below the smallest clip, nor where one who lacks room forbids it', async () => {
    const perToken = (outputTokens: number) => ({ nanoUsd: outputTokens, tokens: outputTokens })
    const desk = open(
      { amount: 100, clip: 'allow', clipTokensMin: 101 },
      { unit: 'tokens', amount: 900 },
    )
    assert.equal((await refusalOf(desk.call(perToken, spenderOf(), 500))).code, 'budget/usd')
    bank.budgets.set(1, budgetOf({ amount: 100, clip: 'allow' }))
    desk.engine.put(bank.budgets.get(1)!)
    assert.equal((await refusalOf(desk.call(perToken, spenderOf(), 1_000))).code, 'budget/tokens')
  })

  test('that comes to more than was proved is charged in full, and counted', async () => {
    const desk = open({ amount: 1_000 })
    desk.end(await desk.call(flat(100)), 1_500)
    await desk.engine.leases.settled()
    assert.equal(desk.engine.counts.overBound, 1)
    const [account] = desk.engine.matcher.find(spenderOf()).at(atMs).accounts
    assert.ok(account!.free < 0)
    const refused = await refusalOf(desk.call(flat(1)))
    assert.match(refused.message, /it has used \$0\.0000/)
    desk.ship()
    assert.equal(bank.spent(1), 1_500)
  })

  test('ends once: what comes after its end changes nothing', async () => {
    const desk = open({ amount: 1_000 })
    const made = await desk.call(flat(100))
    made.settle({ nanoUsd: 40, tokens: 0 })
    made.settle({ nanoUsd: 40, tokens: 0 })
    made.release()
    const [account] = desk.engine.matcher.find(spenderOf()).at(atMs).accounts
    assert.deepEqual([account!.spent, account!.held], [40, 0])
  })

  test('only watched lets all pass, and counts', async () => {
    const desk = open({ amount: 10, enforce: 'observe' })
    desk.end(await desk.call(flat(500)), 400)
    await desk.engine.leases.settled()
    desk.ship()
    assert.equal(bank.spent(1), 400)
  })

  test('under the caps of a sandbox is clipped to what its pass has left, and then refused', async () => {
    const desk = open()
    bank.budgets.clear()
    desk.engine.remove(1)
    const purse = { nanoUsd: 0, tokens: 0, heldNanoUsd: 0, heldTokens: 0 }
    const caps = { purse, nanoUsdMax: 10_000, tokensMax: 2_000 }
    const boundOf = (outputTokens: number) => ({
      nanoUsd: outputTokens,
      tokens: outputTokens + 100,
    })
    const ask = {
      spender: spenderOf(),
      boundOf,
      wanted: { outputTokens: 32_000, inputTokens: 100 },
      caps,
    }
    const made = await desk.engine.reserve.reserve(ask)
    assert.equal(made.outputTokensMax, 1_900)
    assert.equal(purse.heldTokens, 2_000)
    made.settle({ nanoUsd: 900, tokens: 1_000 })
    assert.deepEqual(purse, { nanoUsd: 900, tokens: 1_000, heldNanoUsd: 0, heldTokens: 0 })
    const refused = await refusalOf(Promise.resolve().then(() => desk.engine.reserve.reserve(ask)))
    assert.equal(refused.code, 'budget/tokens')
    assert.match(refused.message, /it has used 1000 tokens of 2000 tokens/)
  })

  test('waits in a queue with an end', async () => {
    bank.budgets.set(1, budgetOf({ amount: 1_000 }))
    const desk = new Desk(bank, 'journal-1', now, { waitersMax: 2 })
    const first = await desk.call(flat(1_000))
    const waiting = [1, 2].map(() => refusalOf(desk.call(flat(10))))
    const refused = await refusalOf(desk.call(flat(10)))
    assert.equal(refused.code, 'budget/wait')
    assert.equal(desk.engine.reserve.waiting, 2)
    await Promise.all(waiting)
    desk.end(first, 1)
  })
})
