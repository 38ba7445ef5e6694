import type { Budget, BudgetUse } from '../../proxy/api.ts'
import { toAmountText, toLimitText, toStateText, toWhomText } from '../budget-text.ts'
import { type SubCommand, segment } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import { toFields } from '../fields.ts'

export const budgetShow: SubCommand = {
  name: 'budget show',
  args: '<name>',
  summary: 'Show a budget, and what is used of it.',
  details:
    'Leased is what proxies hold ready for calls: it is nobody else’s until they give it back.',
  examples: [['budget show daily', 'how much is left, and until when']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    const path = `/api/budgets/${segment(name!)}`
    const budget = await client.json<Budget>(path)
    const use = await client.json<BudgetUse>(`${path}/use`)
    out.show({ ...budget, use }, (shown, look) => toFields(toRows(shown, shown.use), look))
    return 0
  },
}

function toRows(budget: Budget, use: BudgetUse): Record<string, string | null> {
  const text = (amount: number) => toAmountText(budget.unit, amount)
  const percent = use.amount === 0 ? '' : ` (${Math.floor((use.used / use.amount) * 100)} %)`
  return {
    name: budget.name,
    for: toWhomText(budget),
    limit: toLimitText(budget),
    state: toStateText(budget),
    clip: budget.clip === 'off' ? 'off' : `to ${budget.clipTokensMin} output tokens at least`,
    used: text(use.used) + percent,
    leased: `${text(use.leased)}, ${text(use.reserved)} of it by calls in flight here`,
    left: text(use.left),
    resets: use.resetsAt === null ? 'never' : `${toTimeText(use.resetsAt)} (${budget.zone})`,
    'made by': `${budget.madeBy}, ${toTimeText(budget.createdAt)}`,
  }
}
