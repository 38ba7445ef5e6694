import { type SubCommand, segment } from '../command.ts'

export const sandboxDelete: SubCommand = {
  name: 'sandbox delete',
  args: '<id>',
  summary: 'End a sandbox and all that runs in it.',
  details: 'Its loop takes the pass as lost, and tries it again.',
  examples: [['sandbox delete sb-12', 'legal in every state']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    await client.json(`/api/sandboxes/${segment(id!)}`, { method: 'DELETE' })
    out.show({ id, deleted: true }, (done) => [`Deleted ${done.id}.`])
    return 0
  },
}
