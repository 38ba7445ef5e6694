import type { Provider } from '../../proxy/api.ts'
import type { Page } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const providerList: SubCommand = {
  name: 'provider list',
  summary: 'List model providers, without their keys.',
  examples: [['provider list', 'where each model goes']],
  async run({ connect, out }) {
    const client = await connect()
    const page = await client.json<Page<Provider>>('/api/providers')
    out.page(page, columns, empty)
    for (const { name, warning } of page.items) if (warning) out.note(`${name}: ${warning}`)
    return 0
  },
}

const empty =
  'No providers yet. Add one: treadle provider add claude --kind anthropic --key-file FILE --models NAME'

const columns: Column<Provider>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'MODELS', of: ({ models }) => (models.length === 0 ? '-' : models.join(', ')) },
  {
    title: 'ADDRESS',
    of: ({ baseUrl, allowPrivate }) => baseUrl + (allowPrivate ? ' (private)' : ''),
  },
  { title: 'REGION', of: ({ region }) => region ?? '-' },
  { title: 'LAST USED', of: ({ lastUsedAt }) => toTimeText(lastUsedAt) },
]
