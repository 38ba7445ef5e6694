import type { Key, KeyChange } from '../../auth/api.ts'
import { type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'

export const keySet: SubCommand<{ team?: string | false }> = {
  name: 'key set',
  args: '<id>',
  summary: 'Say of which team an API key is.',
  details: "Its calls then count in the team's budgets, policies and routes. Owners alone.",
  examples: [
    ['key set 01J8 --team search', 'from the next second on'],
    ['key set 01J8 --no-team', 'of none'],
  ],
  options: (command) =>
    command.option('--team <name>', 'of this one').option('--no-team', 'of none'),
  async run({ connect, out }, [id], { team }) {
    if (team === undefined) throw failure('cli/usage', 'Name --team or --no-team.')
    const client = await connect()
    const json: KeyChange = { team: team === false ? null : team }
    const key = await client.json<Key>(`/api/keys/${segment(id!)}`, { method: 'PUT', json })
    out.show(key, (set) => [`${set.name} is of ${set.team ? `the team ${set.team}` : 'no team'}.`])
    return 0
  },
}
