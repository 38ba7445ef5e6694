import type { Loop } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { loopPath } from '../loop-id.ts'

export const loopRetry: SubCommand = {
  name: 'loop retry',
  args: '<id>',
  summary: 'Run an ended loop again.',
  details: 'It becomes a new loop with the same content.',
  examples: [['loop retry 7f3a', 'print the id of the new loop']],
  async run({ connect, out }, [id]) {
    const client = await connect()
    const loop = await client.json<Loop>(`${await loopPath(client, id!)}/retry`, { method: 'POST' })
    out.show(loop, (made) => [made.id])
    out.note(`It runs. Watch it: treadle loop show ${loop.id} --follow`)
    return 0
  },
}
