import { Duration } from '#kernel/units.ts'
import type { Budget, BudgetRaise } from '../../proxy/api.ts'
import {
  type AmountOptions,
  assertUnit,
  readAmount,
  toAmountText,
  withAmount,
} from '../budget-text.ts'
import { type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'
import { toTimeText } from '../event-text.ts'

export const budgetRaise: SubCommand<AmountOptions & { for: string }> = {
  name: 'budget raise',
  args: '<name>',
  summary: 'Let a budget allow more for a while.',
  details: 'The amount stands in place of its own until then; what is used already counts.',
  examples: [['budget raise daily --usd 120 --for 8h', 'until tonight']],
  options: (command) =>
    withAmount(command).requiredOption('--for <duration>', 'how long, such as 30m, 8h or 2d'),
  async run({ connect, out }, [name], options) {
    const given = readAmount(options)
    const length = Duration.safeParse(options.for)
    if (!given || !length.success)
      throw failure('cli/usage', 'Say how much in all, and how long: --usd 120 --for 8h.')
    const client = await connect()
    const path = `/api/budgets/${segment(name!)}`
    assertUnit(await client.json<Budget>(path), given.unit)
    const until = new Date(Date.now() + length.data).toISOString()
    const json: BudgetRaise = { amount: given.amount, until }
    const raised = await client.json<Budget>(`${path}/raise`, { method: 'POST', json })
    out.show(raised, ({ unit, raise }) => [
      `Raised ${name} to ${toAmountText(unit, raise!.amount)} until ${toTimeText(raise!.until)}.`,
    ])
    return 0
  },
}
