import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../refusal.ts'
import { createSandboxes, toSandboxCaps } from '../sandboxes.ts'
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
    const purse = createSandboxes().get('sb-1')
    const caps = toSandboxCaps(purse, { nanoUsdMax: 10_000, tokensMax: 2_000 })
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
    assert.partialDeepStrictEqual(purse, {
      nanoUsd: 900,
      tokens: 1_000,
      heldNanoUsd: 0,
      heldTokens: 0,
    })
    const refused = await refusalOf(Promise.resolve().then(() => desk.engine.reserve.reserve(ask)))
    assert.equal(refused.code, 'budget/tokens')
    assert.match(refused.message, /It has used 1000 of 2000 tokens: the cap of this pass\./)
  })

  test('is not clipped below what its vendor takes, but refused by the budget', async () => {
    bank.budgets.set(1, budgetOf({ unit: 'tokens', amount: 1_000, clip: 'allow' }))
    const desk = new Desk(bank, 'journal-1', now)
    const boundOf = (outputTokens: number) => ({ nanoUsd: 0, tokens: outputTokens })
    const ask = (outputTokensMin: number) =>
      desk.engine.reserve.reserve({
        ...{ spender: spenderOf(), boundOf },
        wanted: { outputTokens: 32_000, inputTokens: 0, outputTokensMin },
      })
    const refused = await refusalOf(Promise.resolve().then(() => ask(1_001)))
    assert.equal(refused.code, 'budget/tokens')
    assert.match(refused.message, /Budget all .*This call can come to 1001 tokens/)
    const made = await ask(1_000)
    assert.equal(made.outputTokensMax, 1_000)
  })

  test('waits in a queue with an end', async () => {
    bank.budgets.set(1, budgetOf({ amount: 1_000 }))
    const desk = new Desk(bank, 'journal-1', now, { waitersMax: 4 })
    const first = await desk.call(flat(1_000))
    const waiting = [1, 2].map(() => refusalOf(desk.call(flat(10))))
    const refused = await refusalOf(desk.call(flat(10)))
    assert.equal(refused.code, 'budget/wait')
    assert.equal(desk.engine.reserve.waiting, 2) // The other half is for other organisations.
    await Promise.all(waiting)
    desk.end(first, 1)
  })

  test('that the database does not answer in time is refused as unknown, and never let in', async () => {
    const desk = open({ amount: 1_000 })
    desk.end(await desk.call(flat(10)), 10)
    bank.isSilent = true
    const refused = await refusalOf(desk.call(flat(500)))
    assert.deepEqual([refused.code, refused.retryAfterS], ['budget/unknown', 5])
  })

  test('that finds the queue full is still clipped to what is leased here', async () => {
    bank.budgets.set(1, budgetOf({ amount: 1_000, clip: 'allow' }))
    const desk = new Desk(bank, 'journal-1', now, { waitersMax: 0 })
    const [account] = desk.engine.matcher.find(spenderOf()).at(atMs).accounts
    account!.takeGranted(60)
    const made = await desk.call((outputTokens) => ({ nanoUsd: outputTokens, tokens: 0 }))
    assert.equal(made.outputTokensMax, 60)
  })

  test('leases a hundredth ahead at most, and gives back what nobody needs', async () => {
    const desk = open({ amount: 100_000 })
    desk.end(await desk.call(flat(500)), 100)
    await desk.engine.leases.settled()
    assert.ok(bank.committed(1) <= 500 + 1_000, String(bank.committed(1)))
    desk.end(await desk.call(flat(20_000)), 100)
    assert.ok(bank.committed(1) >= 20_000)
    desk.engine.keepUp()
    desk.engine.keepUp()
    await desk.engine.leases.settled()
    assert.ok(bank.committed(1) <= 200 + 1_000, String(bank.committed(1)))
    atMs += 6_000
    desk.engine.keepUp()
    await desk.engine.leases.settled()
    assert.equal(bank.committed(1), 200)
  })

  test('is not waited for longer than it may be, and a call that left leaves what was too little for it', async () => {
    const desk = open({ amount: 1_000 })
    const first = await desk.call(flat(600))
    await refusalOf(desk.call(flat(500)))
    await desk.engine.leases.settled()
    assert.equal(bank.committed(1), 600)
    desk.end(first, 1)
  })

  /** Until all that is due is said, and what is over is let go of. */
  const settle = async (desk: Desk) => {
    for (let turn = 0; turn < 3; turn += 1) {
      desk.engine.keepUp()
      await sleep(5) // What failed is tried again by then.
      await desk.engine.leases.settled()
    }
  }
  const dayMs = 86_400_000
  const windowOf = () => Date.parse(new Date(atMs).toISOString().slice(0, 10))

  test('in a window that was let go of, and that the clock went back to, finds what was spent there', async () => {
    const desk = open({ amount: 1_000, window: 'day' })
    desk.end(await desk.call(flat(900)), 900)
    atMs += 2 * dayMs
    await settle(desk)
    const live = desk.engine.matcher.get(1)!
    assert.equal(live.accounts.size, 0)
    atMs -= 2 * dayMs
    assert.equal((await refusalOf(desk.call(flat(200)))).code, 'budget/usd')
    desk.end(await desk.call(flat(100)), 100)
    assert.ok(bank.committed(1, windowOf()) <= 1_000)
  })

  test('leaves nothing leased in a window that ended while an answer was lost', async () => {
    const desk = open({ amount: 1_000, window: 'day' })
    const started = windowOf()
    bank.losesAnswer = true
    await refusalOf(desk.call(flat(500)))
    assert.equal(bank.committed(1, started), 500)
    atMs += dayMs
    desk.engine.keepUp()
    bank.losesAnswer = false
    await settle(desk)
    assert.equal(bank.committed(1, started), 0)
  })

  test('that ends when its window was thrown away long ago is let go of', async () => {
    const desk = open({ amount: 1_000, window: 'day' })
    const held = await desk.call(flat(300))
    desk.leave(await desk.call(flat(300)))
    atMs += 3 * dayMs
    await settle(desk)
    bank.rows.clear()
    desk.leave(held)
    await settle(desk)
    assert.equal(desk.engine.matcher.get(1)!.accounts.size, 0)
  })

  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    test(`with a bound of ${wrong} fits into nothing, and watching it breaks no sum`, async () => {
      const desk = open({ amount: 9e15, level: 'key', subject: 'key-1' }, { enforce: 'observe' })
      assert.equal((await refusalOf(desk.call(flat(wrong)))).code, 'budget/usd')
      const watched = spenderOf({ key: 'key-2' })
      const held = await desk.call(flat(wrong), watched)
      const other = await desk.call(flat(7), watched)
      desk.end(held, 5)
      desk.end(other, 6)
      const account = desk.engine.matcher.find(watched).at(atMs).accounts[0]!
      assert.deepEqual([account.spent, account.held, account.free], [11, 0, -11])
      assert.equal(desk.engine.counts.overBound, 0)
      desk.ship()
      assert.equal(bank.spent(2), 11)
    })
  }

  test('that comes to no number is charged as more than any budget has', async () => {
    const desk = open({ amount: 1_000 })
    desk.end(await desk.call(flat(10)), Number.NaN)
    assert.equal((await refusalOf(desk.call(flat(1)))).code, 'budget/usd')
  })
})
