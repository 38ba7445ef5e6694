import { type SubCommand, segment } from '../command.ts'

export const providerRemove: SubCommand = {
  name: 'provider remove',
  args: '<name>',
  summary: 'Delete a provider and its key.',
  details: 'Calls of its models are refused from then on.',
  examples: [['provider remove claude', 'the key is deleted, not kept']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    await client.json(`/api/providers/${segment(name!)}`, { method: 'DELETE' })
    out.show({ name, removed: true }, (done) => [`Removed ${done.name} and its key.`])
    return 0
  },
}
