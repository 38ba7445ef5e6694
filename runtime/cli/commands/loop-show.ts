import { toUsdText } from '#kernel/units.ts'
import type { Loop, Page, Pass } from '../../spool/api.ts'
import { segment, type SubCommand } from '../command.ts'
import { shortSha, toGateText, toSpanText, toTimeText, toTokensText } from '../event-text.ts'
import { toFields } from '../fields.ts'
import type { Look } from '../output.ts'
import { type Column, toTable } from '../table.ts'
import { watchLoop } from '../watch.ts'

export const loopShow: SubCommand<{ follow?: boolean; pass?: string }> = {
  name: 'loop show',
  args: '<id>',
  summary: 'Show a loop and its passes; with --pass, what the gates of one pass printed.',
  examples: [
    ['loop show 7f3a', 'the loop, and a line a pass'],
    ['loop show 7f3a --pass 2', 'why its gates are red'],
    ['loop show 7f3a --follow', "watch it to its end, and exit with the ending's code"],
  ],
  options: (command) =>
    command
      .option('-f, --follow', 'watch until it ends')
      .option('--pass <number>', 'one pass with its gates’ output'),
  async run(context, [id], { follow, pass: number }) {
    const client = await context.connect()
    const path = `/api/loops/${segment(id!)}`
    const loop = await client.json<Loop>(path)
    if (follow) return await watchLoop(loop, context)
    const passes = (await client.json<Page<Pass>>(`${path}/passes`)).items
    if (number !== undefined) return showPass(context.out, passes, number)
    context.out.show({ ...loop, items: passes }, (shown, look) => [
      ...toLoopLines(shown, look),
      '',
      ...toPassLines(shown.items, look),
    ])
    return 0
  },
}
