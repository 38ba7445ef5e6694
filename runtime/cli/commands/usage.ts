import { toUsdText } from '#kernel/units.ts'
import type { UsageRow } from '../../proxy/api.ts'
import type { Page } from '../../spool/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import { toCountText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const usage: SubCommand<PageOptions> = {
  name: 'usage',
  summary: 'Say what the models cost: calls, tokens and money by day, model and loop.',
  examples: [['usage', 'the newest day first'], ['usage --json', 'whole numbers: nano-dollars, tokens']],
  options: withPage,
  async run({ connect, out }, _, { limit, cursor }) {
    const client = await connect()
    const page = await client.json<Page<UsageRow>>(pathOf('/api/usage', { limit, cursor }))
    out.page(page, columns, 'Nothing used yet. A loop calls models: treadle loop run loop.yaml')
    return 0
  },
}

// `~` marks what is partly estimated, `≥` what holds calls without a known price.
const toCostText = ({ costNanoUsd, unpricedCalls, estimatedCalls }: UsageRow) =>
  `${unpricedCalls > 0 ? '≥' : ''}${estimatedCalls > 0 ? '~' : ''}${toUsdText(costNanoUsd)}`

const columns: Column<UsageRow>[] = [
  { title: 'DAY', of: ({ day }) => day },
  { title: 'PROVIDER', of: ({ provider }) => provider ?? '-' },
  { title: 'MODEL', of: ({ model, isRehearsal }) => model + (isRehearsal ? ' (rehearsal)' : '') },
  { title: 'LOOP', of: ({ loop }) => loop ?? '-' },
  { title: 'CALLS', of: ({ calls }) => String(calls), align: 'right' },
  { title: 'IN', of: (row) => toCountText(row.usage.inputTokens), align: 'right' },
  { title: 'CACHED', of: (row) => toCountText(row.usage.cachedTokens), align: 'right' },
  { title: 'OUT', of: (row) => toCountText(row.usage.outputTokens), align: 'right' },
  { title: 'COST', of: toCostText, align: 'right' },
]
