// What one call holds in all of its budgets, from before it is sent until its end is known.
import { type Account, type Amounts, toWhole } from './account.ts'
import type { SandboxCaps } from './fit.ts'

export type Spent = { nanoUsd: number; tokens: number }

export type Reservation = {
  /** Clip the answer to so many tokens; null = as asked. */
  readonly outputTokensMax: number | null
  /** Whether any budget counts the call. */
  readonly isCounted: boolean
  /** What it may come to, and holds until its end. */
  readonly held: Spent
  /** Charges what the call came to. More than was held is charged as well. Only the first end counts. */
  settle(spent: Spent): void
  /** The call was never sent: it counts nowhere. */
  release(): void
  /**
   * The value of `holds` in the ledger, as JSON: without `spent` for the line that begins the call (what it may come to),
   * with it for the line that ends it. A call that begins and never ends is so charged with what it held. Null = none.
   */
  toLine(spent?: Spent): string | null
}

/** What reservations tell whom they were made by. */
export type Keeper = {
  readonly epoch: number
  /** Something was freed. */
  freed(): void
  overBound(account: Account, by: number): void
}

export const nothingHeld: Reservation = {
  outputTokensMax: null,
  isCounted: false,
  held: { nanoUsd: 0, tokens: 0 },
  settle: () => {},
  release: () => {},
  toLine: () => null,
}

type Made = {
  accounts: readonly Account[]
  /** Which of them hold: one that only watches counts what came, for what may come has no bound there. */
  isHeld: readonly boolean[]
  marks: string
  caps: SandboxCaps | undefined
  amounts: Amounts
  outputTokensMax: number | null
}

export class HeldReservation implements Reservation {
  readonly outputTokensMax: number | null
  readonly #made: Made
  readonly #keeper: Keeper
  #isOver = false

  get isCounted(): boolean {
    const { accounts, caps } = this.#made
    return accounts.length > 0 || (caps?.nanoUsdMax ?? caps?.tokensMax) !== undefined
  }

  get held(): Spent {
    return this.#made.amounts
  }

  /** Takes the amounts from all: to be called when they fit. */
  constructor(made: Made, keeper: Keeper) {
    this.outputTokensMax = made.outputTokensMax
    this.#made = made
    this.#keeper = keeper
    const { accounts, isHeld, amounts, caps } = made
    for (let i = 0; i < accounts.length; i += 1)
      if (isHeld[i]) accounts[i]!.hold(accounts[i]!.needOf(amounts))
    if (!caps) return
    caps.purse.heldNanoUsd += amounts.nanoUsd
    caps.purse.heldTokens += amounts.tokens
  }

  settle(spent: Spent): void {
    this.#end(toSpent(spent), 1)
  }

  release(): void {
    this.#end({ nanoUsd: 0, tokens: 0 }, 0)
  }

  toLine(spent?: Spent): string | null {
    const { accounts, marks, amounts } = this.#made
    if (accounts.length === 0) return null
    const { nanoUsd, tokens } = spent ? toSpent(spent) : amounts
    return `[${this.#keeper.epoch},${nanoUsd},${tokens},${marks}]`
  }

  #end(spent: Amounts, requests: 0 | 1): void {
    if (this.#isOver) return
    this.#isOver = true
    const { accounts, isHeld, amounts, caps } = this.#made
    for (let i = 0; i < accounts.length; i += 1) {
      const account = accounts[i]!
      const held = isHeld[i] ? account.needOf(amounts) : 0
      const came = account.unitCode === 2 ? requests : account.needOf(spent)
      account.settle(held, came)
      if (isHeld[i] && came > held) this.#keeper.overBound(account, came - held)
    }
    if (caps) {
      caps.purse.heldNanoUsd -= amounts.nanoUsd
      caps.purse.heldTokens -= amounts.tokens
      caps.purse.nanoUsd += spent.nanoUsd
      caps.purse.tokens += spent.tokens
    }
    this.#keeper.freed()
  }
}

const toSpent = ({ nanoUsd, tokens }: Spent): Amounts => ({
  nanoUsd: toWhole(nanoUsd),
  tokens: toWhole(tokens),
})
