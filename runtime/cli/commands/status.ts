import type { Status } from '../../auth/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import { toFields } from '../fields.ts'

export const status: SubCommand = {
  name: 'status',
  summary: 'Say where Treadle answers, and what is up.',
  details: 'Exits 1 when a role is down.',
  examples: [['status --json', 'for a monitor']],
  async run({ connect, out }) {
    const client = await connect()
    const found = await client.json<Status>('/api/status')
    out.show(found, (shown, look) => {
      const { version, startedAt, url, proxyUrl, roles } = shown
      const { green, red } = look.colours
      const marks = roles.map(({ role, up }) => `${role} ${up ? green('up') : red('down')}`)
      const since = toTimeText(startedAt)
      return toFields({ version, since, url, proxy: proxyUrl, roles: marks.join('  ') }, look)
    })
    return found.roles.every(({ up }) => up) ? 0 : 1
  },
}
