import type { Key, KeyList } from '../../auth/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const keyList: SubCommand = {
  name: 'key list',
  summary: 'List API keys, without their text.',
  examples: [['key list', 'who may call, since when, and until when']],
  async run({ connect, out }) {
    const client = await connect()
    const page = await client.json<KeyList>('/api/keys')
    out.page(page, columns, 'No keys yet. Make one: treadle key create laptop')
    return 0
  },
}

const columns: Column<Key>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'TEAM', of: ({ team }) => team ?? '-' },
  { title: 'STATE', of: ({ revokedAt }) => (revokedAt === null ? 'good' : 'revoked') },
  { title: 'CREATED', of: ({ createdAt }) => toTimeText(createdAt) },
  { title: 'EXPIRES', of: ({ expiresAt }) => toTimeText(expiresAt) },
  { title: 'LAST USED', of: ({ lastUsedAt }) => toTimeText(lastUsedAt) },
]
