import type { Budget } from '../../proxy/api.ts'
import type { Page } from '../../spool/api.ts'
import { toLimitText, toStateText, toWhomText } from '../budget-text.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import type { Column } from '../table.ts'

export const budgetList: SubCommand<PageOptions> = {
  name: 'budget list',
  summary: 'List budgets, by name.',
  details: 'What is used of one is in treadle budget show.',
  examples: [['budget list', 'who may spend how much']],
  options: withPage,
  async run({ connect, out }, _, { limit, cursor }) {
    const client = await connect()
    const page = await client.json<Page<Budget>>(pathOf('/api/budgets', { limit, cursor }))
    out.page(page, columns, 'No budgets yet. Add one: treadle budget add daily --usd 50 --per day')
    return 0
  },
}

const columns: Column<Budget>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'FOR', of: toWhomText },
  { title: 'LIMIT', of: toLimitText },
  { title: 'ZONE', of: ({ zone, window }) => (window === 'total' ? '-' : zone) },
  {
    title: 'CLIP',
    of: ({ clip, clipTokensMin }) => (clip === 'off' ? '-' : `to ${clipTokensMin} tokens`),
  },
  { title: 'STATE', of: toStateText },
]
