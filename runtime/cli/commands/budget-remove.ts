import { type SubCommand, segment } from '../command.ts'

export const budgetRemove: SubCommand = {
  name: 'budget remove',
  args: '<name>',
  summary: 'Delete a budget.',
  details: 'Nothing is held against it from then on; calls in flight go on.',
  examples: [['budget remove daily', 'what was spent stays in treadle usage']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    await client.json(`/api/budgets/${segment(name!)}`, { method: 'DELETE' })
    out.show({ name, removed: true }, (done) => [`Removed ${done.name}.`])
    return 0
  },
}
