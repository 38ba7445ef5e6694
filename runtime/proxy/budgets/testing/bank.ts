// A bank for the tests of the memory's side: leases as the database's function gives them out, in a few lines.
import { createLog } from '#kernel/log.ts'
import { planBooking } from '../booking.ts'
import { amountAt, type Budget } from '../budget.ts'
import { createEngine, type Engine } from '../budgets.ts'
import type { BoundOf } from '../fit.ts'
import type { LeaseAnswer, LeaseAsk, LeaseStore } from '../leases.ts'
import type { Spender } from '../match.ts'
import type { Reservation } from '../reservation.ts'

export const budgetOf = (changes: Partial<Budget> = {}): Budget => ({
  id: 1,
  org: 'north',
  name: 'all',
  level: 'org',
  subject: null,
  model: null,
  unit: 'usd',
  amount: 1_000_000,
  window: 'total',
  zone: 'UTC',
  clip: 'off',
  clipTokensMin: 1,
  enforce: 'refuse',
  enabled: true,
  raise: null,
  madeBy: 'olga',
  createdAtMs: 0,
  ...changes,
})

export const spenderOf = (changes: Partial<Spender> = {}): Spender => ({
  org: 'north',
  team: null,
  user: 'mia',
  key: 'key-1',
  loop: null,
  sandbox: null,
  model: 'm-1',
  ...changes,
})

export const quiet = createLog('silent', process.stderr)

type Row = {
  holder: string
  epoch: number
  seq: number
  granted: number
  returned: number
  spent: number
}

export class Bank {
  readonly budgets = new Map<number, Budget>()
  readonly rows = new Map<string, Row[]>()
  readonly epochs = new Map<string, number>()
  isAway = false
  /** Takes what is asked, and says nothing. */
  isSilent = false
  asks = 0
  /** Loses an answer after the work was done, as a cut connection does. */
  losesAnswer = false

  begin(holder: string): number {
    const epoch = (this.epochs.get(holder) ?? 0) + 1
    this.epochs.set(holder, epoch)
    for (const [key, rows] of this.rows) {
      const ended = rows.filter((row) => row.holder === holder && row.epoch < epoch)
      const others = rows.filter((row) => !ended.includes(row))
      const spent = ended.reduce((sum, row) => sum + row.spent, 0)
      this.rows.set(key, others)
      this.#rowOf(key, '', 0).spent += spent
    }
    return epoch
  }

  storeOf(holder: string, epoch: number): LeaseStore {
    return {
      ask: async (asks, atMs) => {
        this.asks += 1
        if (this.isSilent) await new Promise(() => {})
        if (this.isAway) throw new Error('the bank is away')
        if (this.epochs.get(holder) !== epoch) return 'fenced'
        const answers = asks.map((ask) => this.#answer(ask, holder, epoch, atMs))
        if (this.losesAnswer) throw new Error('the answer is lost')
        return answers
      },
    }
  }

  book(holder: string, lines: readonly string[]): void {
    for (const { budget, start, epoch, spent } of planBooking(lines)) {
      if (!this.budgets.has(budget)) continue
      const rows = this.rows.get(`${budget} ${start}`) ?? []
      const isLeased = rows.some((row) => row.holder === holder && row.epoch === epoch)
      const [name, since] = isLeased ? ([holder, epoch] as const) : (['', 0] as const)
      this.#rowOf(`${budget} ${start}`, name, since).spent += spent
    }
  }

  /** What counts against a budget in a window: leased, and spent beyond that. */
  committed(budget: number, startMs = 0): number {
    return (this.rows.get(`${budget} ${startMs / 1_000}`) ?? []).reduce(sumOf, 0)
  }

  spent(budget: number, startMs = 0): number {
    const rows = this.rows.get(`${budget} ${startMs / 1_000}`) ?? []
    return rows.reduce((sum, row) => sum + row.spent, 0)
  }

  #rowOf(key: string, holder: string, epoch: number): Row {
    const rows = this.rows.get(key) ?? []
    this.rows.set(key, rows)
    const known = rows.find((row) => row.holder === holder && row.epoch === epoch)
    if (known) return known
    const made = { holder, epoch, seq: 0, granted: 0, returned: 0, spent: 0 }
    rows.push(made)
    return made
  }

  #answer(ask: LeaseAsk, holder: string, epoch: number, atMs: number): LeaseAnswer {
    const budget = this.budgets.get(ask.budget)
    const none = {
      seq: 0,
      granted: 0,
      returned: 0,
      amount: 0,
      othersSpent: 0,
      othersHeld: 0,
      left: 0,
    }
    if (!budget) return { isGone: true, ...none }
    const key = `${ask.budget} ${ask.startMs / 1_000}`
    const own = this.#rowOf(key, holder, epoch)
    const others = this.rows.get(key)!.filter((row) => row !== own)
    const othersSpent = others.reduce((sum, { spent }) => sum + spent, 0)
    const othersHeld = others.reduce(sumOf, 0) - othersSpent
    const amount = amountAt(budget, atMs)
    if (ask.seq > own.seq) {
      own.seq = ask.seq
      own.returned = Math.max(own.returned, Math.min(ask.returned, own.granted))
      const free = amount - othersSpent - othersHeld - (own.granted - own.returned)
      if (ask.want > 0 && free > 0 && free >= ask.least) own.granted += Math.min(ask.want, free)
    }
    const left = amount - othersSpent - othersHeld - sumOf(0, own)
    const { seq, granted, returned } = own
    return { isGone: false, seq, granted, returned, amount, othersSpent, othersHeld, left }
  }
}

const sumOf = (sum: number, { granted, returned, spent }: Row) =>
  sum + Math.max(granted - returned, spent)

/** A process of a bank's holder, with its ledger as lines. */
export class Desk {
  readonly holder: string
  readonly engine: Engine
  readonly lines: string[] = []
  readonly #open = new Map<Reservation, string>()
  readonly #bank: Bank

  constructor(
    bank: Bank,
    holder: string,
    now: () => number,
    more: { waitMs?: number; waitersMax?: number } = {},
  ) {
    this.holder = holder
    this.#bank = bank
    const epoch = bank.begin(holder)
    const store = bank.storeOf(holder, epoch)
    this.engine = createEngine({ store, epoch, now, log: quiet, waitMs: 400, retryMs: 1, ...more })
    for (const budget of bank.budgets.values()) this.engine.put(budget)
  }

  async call(boundOf: BoundOf, spender = spenderOf(), outputTokens = 100): Promise<Reservation> {
    const wanted = { outputTokens, inputTokens: 0 }
    const made = await this.engine.reserve.reserve({ spender, boundOf, wanted })
    this.#open.set(made, begunLine(made.toLine()))
    return made
  }

  end(made: Reservation, nanoUsd: number, tokens = 0): void {
    made.settle({ nanoUsd, tokens })
    this.#open.delete(made)
    this.lines.push(endLine(made.toLine({ nanoUsd, tokens })))
  }

  leave(made: Reservation): void {
    made.release()
    this.#open.delete(made)
  }

  /** Ships the ledger. */
  ship(): void {
    this.#bank.book(this.holder, this.lines.splice(0))
  }

  /** As a kill does it: nothing more is said. What the ledger's replay adds is shipped for it. */
  abandon(): void {
    this.engine.stop()
    for (const line of this.#open.values()) this.lines.push(line.replace('begun', 'estimated'))
    this.#open.clear()
    this.ship()
  }
}

const begunLine = (holds: string | null) => `{"id":"c","state":"begun","holds":${holds}}`
const endLine = (holds: string | null) => `{"id":"c","state":"settled","holds":${holds}}`

/** A bound that does not depend on the answer's length. */
export const flat =
  (nanoUsd: number, tokens = 0): BoundOf =>
  () => ({ nanoUsd, tokens })
