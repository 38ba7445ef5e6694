// Amounts of budgets, from the command line and for people.
import type { Command } from 'commander'
import { toNanoUsd, toUsdText } from '#kernel/units.ts'
import type { Budget, BudgetUnit } from '../proxy/api.ts'
import { toCount } from './command.ts'
import { failure } from './errors.ts'
import { toTimeText } from './event-text.ts'

export type AmountOptions = { usd?: string; tokens?: string; requests?: string }

export const withAmount = (command: Command) =>
  command
    .option('--usd <dollars>', 'how much, in US dollars')
    .option('--tokens <count>', 'how many tokens, in and out together')
    .option('--requests <count>', 'how many calls')

/** The one amount that was given; undefined = none. */
export function readAmount(
  options: AmountOptions,
): { unit: BudgetUnit; amount: number } | undefined {
  const units = (['usd', 'tokens', 'requests'] as const).filter(
    (unit) => options[unit] !== undefined,
  )
  const [unit, ...more] = units
  if (unit === undefined) return undefined
  if (more.length > 0)
    throw failure('cli/usage', `Give one of ${units.map((one) => `--${one}`).join(' and ')}.`)
  const text = options[unit]!
  return { unit, amount: unit === 'usd' ? toNano(text) : toCount(`--${unit}`, text) }
}

function toNano(text: string): number {
  if (/^\d{1,7}(\.\d{1,9})?$/.test(text)) return toNanoUsd(Number(text))
  throw failure('cli/usage', `--usd ${text} is no amount. Write dollars, such as 20 or 0.50.`)
}

export function assertUnit({ name, unit }: Budget, given: BudgetUnit): void {
  if (unit === given) return
  throw failure(
    'cli/usage',
    `${name} counts ${unit}: give --${unit}. Another unit is another budget.`,
  )
}

export const toAmountText = (unit: BudgetUnit, amount: number) =>
  unit === 'usd' ? toUsdText(amount) : `${amount} ${unit}`

/** `$20.0000 a day`. */
export const toLimitText = ({ unit, amount, window }: Budget) =>
  `${toAmountText(unit, amount)} ${window === 'total' ? 'in total' : `a ${window}`}`

/** `key key-1, claude-*`. */
export function toWhomText({ level, subject, model }: Budget): string {
  const whom = subject === null ? level : `${level} ${subject}`
  return model === null ? whom : `${whom}, ${model}`
}

export function toStateText({ enabled, enforce, raise, unit }: Budget): string {
  if (!enabled) return 'off'
  if (enforce === 'observe') return 'counts only'
  const isRaised = raise !== null && Date.parse(raise.until) > Date.now()
  return isRaised ? `${toAmountText(unit, raise.amount)} until ${toTimeText(raise.until)}` : 'on'
}
