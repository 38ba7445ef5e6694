import { toUsdText } from '#kernel/units.ts'
import type { UsageRow } from '../../proxy/api.ts'
import { pathOf, type SubCommand } from '../command.ts'
import { toCountText } from '../event-text.ts'
import type { Look } from '../output.ts'
import { type Column, toTable } from '../table.ts'

export const usage: SubCommand<{ days: string; loop?: string }> = {
  name: 'usage',
  summary: 'Say what models cost, by day, model and loop.',
  details: '~ marks a cost that is partly estimated, ≥ one that holds calls without a known price.',
  examples: [
    ['usage', 'the last seven days'],
    ['usage --days 30 --loop 7f3a --json', 'one loop, in whole nano-dollars and tokens'],
  ],
  options: (command) =>
    command
      .option('--days <count>', 'how many days back', '7')
      .option('--loop <id>', 'only what a loop used'),
  async run({ connect, out }, _, { days, loop }) {
    const client = await connect()
    const rows = await client.json<UsageRow[]>(pathOf('/api/usage', { days, loop }))
    out.show(rows, (shown, look) => (shown.length === 0 ? [empty] : toLines(shown, look)))
    return 0
  },
}

const empty = 'Nothing used in this time. A loop calls models: treadle loop run loop.yaml'

function toLines(rows: readonly UsageRow[], look: Look): string[] {
  const nanoUsd = rows.reduce((sum, row) => sum + row.costNanoUsd, 0)
  return [...toTable(rows, columns, look), '', `${toUsdText(nanoUsd)} in all`]
}

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
