import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { Reservation } from './reservation.ts'
import { Bank, budgetOf, Desk, flat, spenderOf } from './testing/bank.ts'

type Step =
  | { kind: 'call'; desk: number; bound: number; tokens: number }
  | { kind: 'end'; desk: number; pick: number; share: number }
  | { kind: 'leave'; desk: number; pick: number }
  | { kind: 'crash'; desk: number }
  | { kind: 'tick'; ms: number }
  | { kind: 'away' | 'back' | 'lose' | 'keep' | 'ship' | 'rest' }

const desks = 3
const desk = fc.integer({ min: 0, max: desks - 1 })
const pick = fc.integer({ min: 0, max: 20 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      desk,
      bound: fc.integer({ min: 1, max: 400 }),
      tokens: fc.integer({ min: 1, max: 90 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      desk,
      pick,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), desk, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), desk }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('tick' as const),
      ms: fc.constantFrom(0, 600, 6_000, 61_000, -61_000, -3_600_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      { kind: 'away' },
      { kind: 'back' },
      { kind: 'lose' },
      { kind: 'keep' },
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: 'ship' }, { kind: 'rest' }) },
)

const budgets = [
  budgetOf({ id: 1, amount: 3_000 }),
  budgetOf({ id: 2, amount: 900, window: 'minute' }),
  budgetOf({ id: 3, level: 'user', subject: 'mia', unit: 'tokens', amount: 800, window: 'hour' }),
  budgetOf({ id: 4, unit: 'requests', amount: 25 }),
]

/** Holders of one bank, and what their calls truly came to: by budget and window, told by nobody but the test. */
class World {
  readonly bank = new Bank()
  atMs = Date.parse('2026-11-29T12:00:30Z')
  readonly truth = new Map<string, number>()
  readonly open: { made: Reservation; bound: number; tokens: number; marks: number[][] }[][] = []
  readonly desks: Desk[] = []

  constructor() {
    for (const budget of budgets) this.bank.budgets.set(budget.id, budget)
    for (let i = 0; i < desks; i += 1) this.seat(i)
  }

  seat(i: number): void {
    this.desks[i] = new Desk(this.bank, `journal-${i}`, () => this.atMs, { waitMs: 0 })
    this.open[i] = []
  }

  charge(marks: readonly number[][], nanoUsd: number, tokens: number): void {
    for (const [budget, unit, start] of marks) {
      const key = `${budget} ${start! * 1_000}`
      this.truth.set(key, (this.truth.get(key) ?? 0) + [nanoUsd, tokens, 1][unit!]!)
    }
  }

  async take(made: Step): Promise<void> {
    const { bank } = this
    if (made.kind === 'call') await this.call(made)
    else if (made.kind === 'end' || made.kind === 'leave') this.end(made)
    else if (made.kind === 'crash') {
      const { desk } = made
      for (const { marks, bound, tokens } of this.open[desk]!) this.charge(marks, bound, tokens)
      this.desks[desk]!.abandon()
      this.seat(desk)
    } else if (made.kind === 'tick') {
      this.atMs += made.ms
      for (const one of this.desks) one.engine.keepUp()
    } else if (made.kind === 'away' || made.kind === 'back') bank.isAway = made.kind === 'away'
    else if (made.kind === 'lose' || made.kind === 'keep') bank.losesAnswer = made.kind === 'lose'
    else if (made.kind === 'ship') for (const one of this.desks) one.ship()
    else await this.rest()
  }

  async rest(): Promise<void> {
    for (const one of this.desks) await one.engine.leases.settled()
  }

  async call({ desk, bound, tokens }: Step & { kind: 'call' }): Promise<void> {
    const made = await this.desks[desk]!.call(flat(bound, tokens), spenderOf()).catch(
      () => undefined,
    )
    if (!made) return
    const [, , , ...marks] = JSON.parse(made.toLine()!) as [number, number, number, ...number[][]]
    this.open[desk]!.push({ made, bound, tokens, marks })
  }

  end(step: Step & { kind: 'end' | 'leave' }): void {
    const list = this.open[step.desk]!
    const [found] = list.splice(step.pick % Math.max(1, list.length), 1)
    if (!found) return
    if (step.kind === 'leave') {
      this.desks[step.desk]!.leave(found.made)
      return
    }
    const nanoUsd = Math.floor(found.bound * step.share)
    const tokens = Math.floor(found.tokens * step.share)
    this.desks[step.desk]!.end(found.made, nanoUsd, tokens)
    this.charge(found.marks, nanoUsd, tokens)
  }

  /** What calls came to, and what those in flight may come to, never exceeds a budget in any window. */
  assertWithin(): void {
    const all = new Map(this.truth)
    for (const { marks, bound, tokens } of this.open.flat()) {
      for (const [budget, unit, start] of marks) {
        const key = `${budget} ${start! * 1_000}`
        all.set(key, (all.get(key) ?? 0) + [bound, tokens, 1][unit!]!)
      }
    }
    for (const [key, came] of all) {
      const { id, amount } = budgets.find(({ id }) => key.startsWith(`${id} `))!
      assert.ok(came <= amount, `budget ${id}: ${came} of ${amount}`)
      const committed = this.bank.committed(id, Number(key.split(' ')[1]))
      assert.ok(committed <= amount, `budget ${id}: leased ${committed} of ${amount}`)
    }
  }

  /** Every account adds up. */
  assertBalanced(): void {
    for (const { engine } of this.desks) {
      for (const live of engine.matcher.all()) {
        for (const { granted, returned, spent, held, free } of live.accounts.values())
          assert.equal(granted, returned + spent + held + free)
      }
    }
  }

  /** After all has ended and was said, what is spent and what is free come to the amount again. */
  async assertWhole(): Promise<void> {
    this.bank.isAway = false
    this.bank.losesAnswer = false
    for (const [index, list] of this.open.entries()) {
      for (const { made } of list.splice(0)) this.desks[index]!.leave(made)
    }
    this.atMs += 30 * 86_400_000 // Each window is over, and in the one without an end nobody was at work for long.
    for (let turn = 0; turn < 4; turn += 1) {
      await sleep(2) // What failed is tried again by then.
      for (const one of this.desks) one.engine.keepUp()
      await this.rest()
    }
    for (const one of this.desks) one.ship()
    for (const [key, came] of this.truth) {
      const [id, start] = key.split(' ').map(Number)
      assert.equal(this.bank.spent(id!, start), came)
      assert.equal(this.bank.committed(id!, start), came)
    }
    for (const one of this.desks) one.engine.stop()
  }
}

describe('leases of several holders', () => {
  test('never let more be spent than a budget has, whatever comes in which order', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 120 }),
      async (steps) => {
        const world = new World()
        for (const one of steps) {
          await world.take(one)
          world.assertWithin()
          world.assertBalanced()
        }
        await world.assertWhole()
      },
    )
    await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 6_000 })
  })
})
