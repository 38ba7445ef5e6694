import type { LoginLink } from '../../auth/api.ts'
import type { SubCommand } from '../command.ts'
import { toTimeText } from '../event-text.ts'

export const loginLink: SubCommand = {
  name: 'login-link',
  summary: 'Make a link that signs its first opener in.',
  details:
    'Whoever presses the button of its page first is signed in as you. It is good once, for minutes.',
  examples: [['login-link', 'open it in a browser on this machine']],
  async run({ connect, out }) {
    const client = await connect()
    const link = await client.json<LoginLink>('/api/login-links', { method: 'POST' })
    out.show(link, ({ url }) => [url])
    out.note(`Good once, until ${toTimeText(link.expiresAt)}.`)
    return 0
  },
}
