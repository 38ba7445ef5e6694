import { type SubCommand, segment } from '../command.ts'

export const routeRemove: SubCommand = {
  name: 'route remove',
  args: '<name>',
  summary: 'Delete a route.',
  details: 'Its models then go to the oldest provider that lists them, or by another route.',
  examples: [['route remove opus', 'it holds from the next call on']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    await client.json(`/api/routes/${segment(name!)}`, { method: 'DELETE' })
    out.show({ name, removed: true }, (done) => [`Removed the route ${done.name}.`])
    return 0
  },
}
