import type { Loop } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { loopPath } from '../loop-id.ts'

export const loopResume: SubCommand = {
  name: 'loop resume',
  args: '<id>',
  summary: 'Let a paused loop go on.',
  examples: [['loop resume 7f3a', 'its next pass starts when there is room']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    const path = `${await loopPath(client, id!)}/resume`
    const loop = await client.json<Loop>(path, { method: 'POST' })
    out.show(loop, ({ name, state }) => [`${name}: ${state}`])
    return 0
  },
}
