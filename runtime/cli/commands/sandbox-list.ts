import type { Page } from '../../spool/api.ts'
import type { Sandbox } from '../../weaver/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import type { Column } from '../table.ts'

export const sandboxList: SubCommand<PageOptions & { loop?: string }> = {
  name: 'sandbox list',
  summary: 'List sandboxes, the newest first.',
  details: 'With what their isolation was measured to be from inside.',
  examples: [['sandbox list', 'what runs, and what ran']],
  options: (command) => withPage(command).option('--loop <id>', 'only those of a loop'),
  async run({ connect, out }, _, { limit, cursor, loop }) {
    const client = await connect()
    const page = await client.json<Page<Sandbox>>(pathOf('/api/sandboxes', { limit, cursor, loop }))
    out.page(page, columns, 'No sandboxes yet. A loop makes them: treadle loop run loop.yaml')
    return 0
  },
}

function toLevelText({ level: { backend, limits, probes } }: Sandbox): string {
  const failed = probes.filter(({ held }) => !held).map(({ name }) => name)
  const held = `${probes.length - failed.length}/${probes.length} probes`
  return `${backend}, ${limits}, ${held}${failed.length > 0 ? `, not ${failed.join(' ')}` : ''}`
}

const columns: Column<Sandbox>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'STATE', of: ({ state, endReason }) => endReason ?? state },
  { title: 'FOR', of: ({ purpose }) => purpose },
  { title: 'LOOP', of: ({ loop }) => loop },
  { title: 'PASS', of: ({ pass }) => String(pass), align: 'right' },
  { title: 'ISOLATION', of: toLevelText },
  { title: 'CREATED', of: ({ createdAt }) => toTimeText(createdAt) },
]
