import type { Page } from '../../spool/api.ts'
import type { Thread } from '../../threads/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const threadList: SubCommand<PageOptions & { loop?: string }> = {
  name: 'thread list',
  summary: 'List conversations with models, the newest first.',
  examples: [
    ['thread list', 'the last twenty'],
    ['thread list --loop 7f3a', "one loop's, a thread for each pass"],
  ],
  options: (command) => withPage(command).option('--loop <id>', 'only those of a loop'),
  async run({ connect, out }, _, { limit, cursor, loop }) {
    const client = await connect()
    const page = await client.json<Page<Thread>>(pathOf('/api/threads', { limit, cursor, loop }))
    out.page(page, columns, 'No conversations yet. A loop makes them: treadle loop run loop.yaml')
    return 0
  },
}

const columns: Column<Thread>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'LOOP', of: ({ loop }) => loop ?? '-' },
  { title: 'PASS', of: ({ pass }) => String(pass ?? '-'), align: 'right' },
  { title: 'MESSAGES', of: ({ messages }) => String(messages), align: 'right' },
  { title: 'MODEL', of: ({ model, isRehearsal }) => model + (isRehearsal ? ' (rehearsal)' : '') },
  { title: 'TITLE', of: ({ title }) => title },
  { title: 'UPDATED', of: ({ updatedAt }) => toTimeText(updatedAt) },
]
