import { type SubCommand, segment } from '../command.ts'

export const keyRevoke: SubCommand = {
  name: 'key revoke',
  args: '<id>',
  summary: 'End an API key.',
  details: 'Whoever uses it is refused from then on.',
  examples: [['key revoke 01J8', 'the id is in treadle key list']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    await client.json(`/api/keys/${segment(id!)}`, { method: 'DELETE' })
    out.show({ id, revoked: true }, (done) => [`Revoked ${done.id}.`])
    return 0
  },
}
