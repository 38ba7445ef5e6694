import { runBoard } from '../board/run.ts'
import type { SubCommand } from '../command.ts'
import { failure } from '../errors.ts'

export const loopWatch: SubCommand = {
  name: 'loop watch',
  args: '[id...]',
  summary: 'Watch loops in a full screen, live.',
  details:
    'Of all loops, or of those that are named. Enter looks into one; ? shows the keys. Leaving it leaves the loops running.',
  examples: [
    ['loop watch', 'every loop; q leaves'],
    ['loop watch 7f3a', 'one loop: passes, gates, plan and output'],
  ],
  async run(context, ids) {
    const { out, stdin, stdout, terminal } = context
    if (out.isJson) {
      throw failure(
        'cli/usage',
        'loop watch is for eyes. For a program: loop show ID --follow --json.',
      )
    }
    if (!stdin.isTTY || !stdout.isTTY || terminal.term === '' || terminal.term === 'dumb') {
      const here = stdout.isTTY ? `TERM is ${terminal.term || 'not set'}` : 'this is no terminal'
      const instead = 'Use loop list, or loop show ID --follow.'
      throw failure(
        'cli/terminal',
        `loop watch needs a terminal that can move its cursor, and ${here}. ${instead}`,
      )
    }
    return await runBoard(context, ids)
  },
}
