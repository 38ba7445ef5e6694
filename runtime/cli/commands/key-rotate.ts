import type { KeyRotationInput, MadeKey } from '../../auth/api.ts'
import { type SubCommand, segment } from '../command.ts'

export const keyRotate: SubCommand<{ overlap?: string }> = {
  name: 'key rotate',
  args: '<id>',
  summary: 'Make an API key in place of another.',
  details: 'The new one is shown this once. The old one is good until the overlap is over.',
  examples: [
    ['key rotate 01J8 > laptop.key', 'a day to change over'],
    ['key rotate 01J8 --overlap 0s', 'the old one leaked: it ends at once'],
  ],
  options: (command) =>
    command.option(
      '--overlap <time>',
      'how long the old one stays good, 30d at most; 24h unless said',
    ),
  async run({ connect, out }, [id], { overlap }) {
    const client = await connect()
    const json: KeyRotationInput = overlap === undefined ? {} : { overlap }
    const path = `/api/keys/${segment(id!)}/rotate`
    const made = await client.json<MadeKey>(path, { method: 'POST', json })
    out.show(made, ({ key }) => [key])
    out.note('Keep it in a file of mode 0600: it is not shown again.')
    return 0
  },
}
