import type { Policy } from '../../proxy/policy/api.ts'
import type { Page } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import type { Column } from '../table.ts'
import { toListsText } from './policy-show.ts'

export const policyList: SubCommand = {
  name: 'policy list',
  summary: 'List what model calls are held to.',
  examples: [['policy list', 'of the organisation, its keys and its sandboxes']],
  async run({ connect, out }) {
    const client = await connect()
    const page = await client.json<Page<Policy>>('/api/policies')
    out.page(page, columns, empty)
    return 0
  },
}

const empty =
  'No policies: any listed model may be called. Set one: treadle policy set --models NAMES'

const columns: Column<Policy>[] = [
  { title: 'OF', of: ({ subject }) => subject },
  { title: 'MODELS', of: ({ models }) => toListsText(models) ?? 'any' },
  { title: 'OUTPUT', of: ({ outputTokensMax: most }) => (most === null ? '-' : String(most)) },
  { title: 'REGIONS', of: ({ regions }) => regions?.join(', ') ?? '-' },
  { title: 'LOGGING', of: ({ logging }) => logging },
  { title: 'SET', of: ({ updatedAt }) => toTimeText(updatedAt) },
]
