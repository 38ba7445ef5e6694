import { toUsdText } from '#kernel/units.ts'
import type { Loop, Page } from '../../spool/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import { toTimeText, toTokensText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const loopList: SubCommand<PageOptions> = {
  name: 'loop list',
  summary: 'List loops, the newest first.',
  examples: [
    ['loop list', 'the last twenty'],
    ['loop list --limit 100 --json', 'a hundred, for a program'],
  ],
  options: withPage,
  async run({ connect, out }, _, { limit, cursor }) {
    const client = await connect()
    const page = await client.json<Page<Loop>>(pathOf('/api/loops', { limit, cursor }))
    out.page(page, columns, 'No loops yet. Run one: treadle loop run loop.yaml')
    return 0
  },
}

const columns: Column<Loop>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATE', of: ({ ending, state }) => ending ?? state },
  { title: 'PASSES', of: ({ passes }) => String(passes), align: 'right' },
  {
    title: 'TOKENS',
    of: ({ usage }) => toTokensText(usage).replace(' tokens', ''),
    align: 'right',
  },
  { title: 'COST', of: ({ costNanoUsd }) => toUsdText(costNanoUsd), align: 'right' },
  { title: 'MODEL', of: ({ spec }) => spec.model },
  { title: 'CREATED', of: ({ createdAt }) => toTimeText(createdAt) },
]
