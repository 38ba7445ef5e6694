// Budgets in words. Dollars come in nano-dollars, tokens and requests as they are.
import type { Budget, BudgetUnit, BudgetUse } from '../../proxy/api.ts'
import { toCount, toMoney } from './amount.ts'

export const toAmount = (unit: BudgetUnit, amount: number): string => {
  const text = unit === 'usd' ? toMoney(Math.abs(amount)) : `${toCount(Math.abs(amount))} ${unit}`
  return amount < 0 ? `−${text}` : text
}

/** What somebody typed, as the API wants it; null where it is no amount. */
export function parseAmount(unit: BudgetUnit, typed: string): number | null {
  const text = typed.trim().replace(/^\$/, '').replaceAll(/[,_ ]/g, '')
  if (!/^\d+(\.\d+)?$/.test(text)) return null
  const amount = unit === 'usd' ? Math.round(Number(text) * 1e9) : Number(text)
  return Number.isSafeInteger(amount) ? amount : null
}

/** `team payments`, `the organisation`, `key 81af, claude-* alone`. */
export function toWhose({ level, subject, model }: Pick<Budget, 'level' | 'subject' | 'model'>) {
  const whose = level === 'org' ? 'the organisation' : `${level} ${subject ?? ''}`
  return model === null ? whose : `${whose}, ${model} alone`
}

/** Parts of a bar in percent of the whole; what is spent beyond the amount fills it, and no more. */
export function toShares({ used, leased, amount }: BudgetUse): { used: number; held: number } {
  const whole = Math.max(amount, 1)
  const part = Math.min(100, (100 * used) / whole)
  return { used: part, held: Math.max(0, Math.min(100 - part, (100 * leased) / whole)) }
}

const levels = ['org', 'team', 'user', 'key', 'loop', 'sandbox', 'model']
/** The widest first. */
export const byLevel = (budgets: readonly Budget[]): Budget[] =>
  budgets.toSorted(
    (one, other) =>
      levels.indexOf(one.level) - levels.indexOf(other.level) || (one.name < other.name ? -1 : 1),
  )
