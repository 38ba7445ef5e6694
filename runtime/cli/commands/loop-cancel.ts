import type { Loop } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { loopPath } from '../loop-id.ts'

export const loopCancel: SubCommand = {
  name: 'loop cancel',
  args: '<id>',
  summary: 'End a loop now.',
  details: 'What its passes committed stays.',
  examples: [['loop cancel 7f3a', 'it ends as cancelled, exit code 23']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    const loop = await client.json<Loop>(`${await loopPath(client, id!)}/cancel`, {
      method: 'POST',
    })
    out.show(loop, ({ name, state, ending }) => [`${name}: ${ending ?? `${state}, ending`}`])
    return 0
  },
}
