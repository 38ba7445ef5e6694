// The words with which a budget says no: which one, how much of it is used and held, when it resets, who can raise it.
import type { BudgetUnit } from '../api.ts'
import { Refusal } from '../refusal.ts'
import type { Account, Amounts } from './account.ts'
import { amountAt, refusalCodeOf, toAmountText } from './budget.ts'
import type { SandboxCaps, Short } from './fit.ts'
import { toWaitText } from './window.ts'

type Asked = {
  short: Short
  caps: SandboxCaps | undefined
  /** The least that the call needs. */
  amounts: Amounts
  atMs: number
}

const waitSMax = 30 // Agents sleep as long as they are told; some for hours.
const holdWaitS = 5 // What calls in flight hold is mostly back within seconds.

/**
 * Spent is a denial, which stops an agent for good. A budget of a minute is a rate, though: there it is told to wait,
 * as where calls in flight hold what is left, for most of that comes back.
 */
export function toSpentRefusal(asked: Asked): Refusal {
  const { short, atMs } = asked
  if (typeof short === 'string') return toCapRefusal(asked, true)
  const { budget, endMs } = short
  if (budget.window !== 'minute')
    return new Refusal(refusalCodeOf(budget.unit), toText(short, asked))
  const resetS = Math.max(1, Math.ceil((endMs - atMs) / 1_000))
  return new Refusal('budget/wait', toText(short, asked), Math.min(waitSMax, resetS))
}

export function toHeldRefusal(asked: Asked): Refusal {
  const { short } = asked
  if (typeof short === 'string') return toCapRefusal(asked, false)
  return new Refusal('budget/wait', toText(short, asked), holdWaitS)
}

export function toUnknownRefusal({ short }: Pick<Asked, 'short'>): Refusal {
  const name = typeof short === 'string' ? 'of this pass' : short.budget.name
  return new Refusal('budget/unknown', `Budget ${name}: what is leased here is used up.`, holdWaitS)
}

function toCapRefusal({ short, caps, amounts }: Asked, isSpent: boolean): Refusal {
  const { purse, nanoUsdMax, tokensMax } = caps!
  const isUsd = short === 'sandbox usd'
  const unit = isUsd ? 'usd' : 'tokens'
  const text = (amount: number) => toAmountText(unit, amount)
  const [used, held, all, need] = isUsd
    ? [purse.nanoUsd, purse.heldNanoUsd, nanoUsdMax!, amounts.nanoUsd]
    : [purse.tokens, purse.heldTokens, tokensMax!, amounts.tokens]
  const say = [
    `It has used ${toShareText(unit, used, all)}${heldText(text(held), held)}: the cap of this pass.`,
    `This call can come to ${text(need)}.`,
    'It does not reset; whoever runs the loop can run it again with a larger cap.',
  ].join(' ')
  return isSpent
    ? new Refusal(refusalCodeOf(unit), say)
    : new Refusal('budget/wait', say, holdWaitS)
}

/** `$0.1000 of $2.0000`, `10 of 20 tokens`. */
const toShareText = (unit: BudgetUnit, used: number, all: number) =>
  `${unit === 'usd' ? toAmountText(unit, used) : used} of ${toAmountText(unit, all)}`

const heldText = (text: string, held: number) =>
  held > 0 ? `, and calls in flight hold ${text}` : ''

function toText(account: Account, { amounts, atMs }: Asked): string {
  const { budget, known, spent, held, free } = account
  const text = (amount: number) => toAmountText(budget.unit, amount)
  const used = (known?.othersSpent ?? 0) + spent
  const heldByAll = (known?.othersHeld ?? 0) + held + Math.max(0, free)
  const reset =
    account.endMs === Number.POSITIVE_INFINITY
      ? 'It does not reset.'
      : `It resets at ${new Date(account.endMs).toISOString()}, ${toWaitText(account.endMs - atMs)}.`
  const per = budget.window === 'total' ? 'in total' : `a ${budget.window}`
  return [
    `Budget ${budget.name} (${subjectText(budget)}, ${text(amountAt(budget, atMs))} ${per}):`,
    `it has used ${toShareText(budget.unit, used, amountAt(budget, atMs))}${heldText(text(heldByAll), heldByAll)}.`,
    `This call can come to ${text(account.needOf(amounts))}.`,
    reset,
    `An owner of the organisation can raise it: treadle budget set ${budget.name}`,
  ].join(' ')
}

const subjectText = ({ level, subject }: Account['budget']) =>
  subject === null ? level : `${level} ${subject}`
