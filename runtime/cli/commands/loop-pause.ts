import type { Loop } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { loopPath } from '../loop-id.ts'

export const loopPause: SubCommand = {
  name: 'loop pause',
  args: '<id>',
  summary: 'Let a loop rest after the pass that runs.',
  details: 'Its time stands still meanwhile. It goes on with loop resume; it can be cancelled too.',
  examples: [['loop pause 7f3a', 'no next pass starts']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    const loop = await client.json<Loop>(`${await loopPath(client, id!)}/pause`, { method: 'POST' })
    out.show(loop, ({ name, pass }) => [
      `${name}: ${pass ? `rests after pass ${pass.pass}` : 'paused'}`,
    ])
    out.note(`Let it go on: treadle loop resume ${loop.id}`)
    return 0
  },
}
