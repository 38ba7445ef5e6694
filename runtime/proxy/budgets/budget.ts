// A budget as the process holds it, and the pure questions one may ask it.
import { toUsdText } from '#kernel/units.ts'
import type { BudgetLevel, BudgetUnit, BudgetWindow } from '../api.ts'
import type { Refusal } from '../refusal.ts'

export type Budget = {
  id: number
  org: string
  name: string
  level: BudgetLevel
  /** Whom it is for: the id of its level, a model's name (a star at the end stands for any ending); null = the organisation. */
  subject: string | null
  /** Counts calls of this model alone; null = of all. */
  model: string | null
  unit: BudgetUnit
  /** Nano-dollars, or a count. */
  amount: number
  window: BudgetWindow
  zone: string
  clip: 'off' | 'allow'
  /** Fewer output tokens than this are worth no call. */
  clipTokensMin: number
  /** `observe` counts and lets all pass. */
  enforce: 'refuse' | 'observe'
  enabled: boolean
  /** Another amount up to a moment; null = none. */
  raise: { amount: number; untilMs: number } | null
  madeBy: string
  createdAtMs: number
}

/** What it allows at a moment. */
export const amountAt = ({ amount, raise }: Budget, atMs: number): number =>
  raise !== null && atMs < raise.untilMs ? raise.amount : amount

/** What holders lease ahead at most: a hundredth, so that little lies idle where many share a budget. */
export const sliceOf = (amount: number): number => Math.max(1, Math.floor(amount / 100))

const refusalCodes = {
  usd: 'budget/usd',
  tokens: 'budget/tokens',
  requests: 'budget/requests',
} as const
export const refusalCodeOf = (unit: BudgetUnit): Refusal['code'] => refusalCodes[unit]

/** `$1.5000`, `1200 tokens`, `3 requests`. */
export const toAmountText = (unit: BudgetUnit, amount: number): string =>
  unit === 'usd' ? toUsdText(amount) : `${amount} ${unit}`

/** A name, or the beginning of one and a star. */
export const matchesModel = (pattern: string, model: string): boolean =>
  pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : pattern === model
