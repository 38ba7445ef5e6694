import type { Status } from '../../auth/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import { toFields } from '../fields.ts'

export const status: SubCommand = {
  name: 'status',
  summary: 'Say where Treadle answers, and what is up.',
  details: 'Exits 1 when a role or the database is down.',
  examples: [['status --json', 'for a monitor']],
  async run({ connect, out }) {
    const client = await connect()
    const found = await client.json<Status>('/api/status')
    out.show(found, (shown, look) => {
      const { version, startedAt, url, proxyUrl, roles, database } = shown
      const { green, red } = look.colours
      const mark = (name: string, up: boolean) => `${name} ${up ? green('up') : red('down')}`
      const marks = roles.map(({ role, up }) => mark(role, up))
      marks.push(mark('database', database === 'up'))
      const since = toTimeText(startedAt)
      return toFields({ version, since, url, proxy: proxyUrl, roles: marks.join('  ') }, look)
    })
    return found.database === 'up' && found.roles.every(({ up }) => up) ? 0 : 1
  },
}
