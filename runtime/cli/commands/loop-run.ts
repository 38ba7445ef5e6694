import type { Loop } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { Failure } from '../errors.ts'
import { readLoopFile } from '../loop-file.ts'
import { watchLoop } from '../watch.ts'

export const loopRun: SubCommand<{ detach?: boolean }> = {
  name: 'loop run',
  args: '<file>',
  summary: 'Run the loop that a file describes, a line a pass.',
  details:
    "Exits with the ending's code: done 0, failed 1, capped 10 (iterations) 11 (time) 12 (idle) 13 (usd) 14 (tokens), stuck 20, needs-review 21, denied 22, cancelled 23. Ctrl-C stops watching, not the loop.",
  examples: [
    ['loop run fix-login.yaml', 'run it and wait for its end'],
    ['loop run fix-login.yaml --detach', 'print its id and leave it running'],
    ['loop run fix-login.yaml --json', 'a line of JSON for each event'],
  ],
  options: (command) => command.option('-d, --detach', 'print the id and do not wait'),
  async run(context, [file], { detach }) {
    const { body, locate } = readLoopFile(file!)
    const client = await context.connect()
    const loop = await client
      .json<Loop>('/api/loops', { method: 'POST', json: body })
      .catch((error: unknown) => {
        throw error instanceof Failure ? error.with(error.problems.map(locate)) : error
      })
    if (!detach) return await watchLoop(loop, context)
    context.out.show(loop, ({ id }) => [id])
    context.out.note(`It runs. Watch it: treadle loop show ${loop.id} --follow`)
    return 0
  },
}
