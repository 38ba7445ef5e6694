import type { MadeKey, NewKey } from '../../auth/api.ts'
import { type SubCommand, toCount } from '../command.ts'

export const keyCreate: SubCommand<{ days?: string; team?: string }> = {
  name: 'key create',
  args: '<name>',
  summary: 'Make an API key for yourself.',
  details: 'It is shown this once; what is stored is its hash.',
  examples: [
    ['key create laptop', 'a key without an end'],
    ['key create ci --days 30 > ci.key', 'a key for thirty days, into a file'],
    ['key create search --team search', "its calls count in the team's budgets"],
  ],
  options: (command) =>
    command
      .option('--days <count>', 'how many days it is good for')
      .option('--team <name>', 'whose budgets, policies and routes hold for it; an owner says so'),
  async run({ connect, out }, [name], { days, team }) {
    const client = await connect()
    const expiresInDays = days === undefined ? undefined : toCount('--days', days)
    const json: NewKey = {
      name: name!,
      ...(team !== undefined && { team }),
      ...(expiresInDays && { expiresInDays }),
    }
    const made = await client.json<MadeKey>('/api/keys', { method: 'POST', json })
    out.show(made, ({ key }) => [key])
    out.note('Keep it in a file of mode 0600: it is not shown again.')
    return 0
  },
}
