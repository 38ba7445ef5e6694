// What is looked after twice a second: slices that nobody needs, windows that are over, budgets that shrank.
import type { Account } from './account.ts'
import { amountAt, sliceOf } from './budget.ts'
import type { LiveBudget, Matcher } from './match.ts'

type Options = { matcher: Matcher; tell(account: Account): void }

export const idleMs = 5_000 // Longer than an agent thinks between two calls of one turn.

/** Gives back what is not needed, and lets go of accounts whose window is over and settled. */
export function keepUp({ matcher, tell }: Options, atMs: number): void {
  for (const live of matcher.all()) {
    for (const account of live.accounts.values()) {
      if (account.amountSeen !== amountAt(account.budget, atMs))
        account.become(account.budget, atMs)
      const surplus = planGiveBack(account, atMs)
      if (surplus > 0) account.giveBack(surplus)
      account.freeMin = account.free
      if (account.returned !== account.returnedKnown) tell(account)
      else if (isOver(account, atMs)) drop(live, account, matcher)
    }
  }
}

const isCurrent = ({ startMs, endMs }: Account, atMs: number) => atMs >= startMs && atMs < endMs

/** How much goes back. Pure. */
export function planGiveBack(account: Account, atMs: number): number {
  const { budget, free, freeMin, usedMs, known, amountSeen } = account
  if (free <= 0) return 0
  if (!isCurrent(account, atMs) || !budget.enabled || !account.isBlocking) return free
  if (Math.abs(atMs - usedMs) > idleMs) return free
  // Where the database has nothing left, another holder may wait for what is too much here.
  const keep = known !== null && known.left <= 0 ? 0 : sliceOf(amountSeen)
  return Math.max(0, Math.min(free, freeMin) - keep)
}

const isOver = (account: Account, atMs: number) =>
  !isCurrent(account, atMs) && account.held === 0 && account.free <= 0 && !account.isDue

function drop(live: LiveBudget, account: Account, matcher: Matcher): void {
  live.drop(account)
  matcher.forget(live.budget.org) // What was found there still has it.
}
