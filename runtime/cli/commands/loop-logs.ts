import { pathOf, type SubCommand, toCount } from '../command.ts'
import { loopPath } from '../loop-id.ts'
import { printOutput } from '../raw.ts'

export const loopLogs: SubCommand<{ pass?: string; raw?: boolean }> = {
  name: 'loop logs',
  args: '<id>',
  summary: 'Print what the agent of a pass wrote to its terminal.',
  details: 'The end of it, of the newest pass by default. Control characters are shown as escapes.',
  examples: [
    ['loop logs 7f3a', 'the newest pass, also while it runs'],
    ['loop logs 7f3a --pass 1', 'an earlier one'],
    ['loop logs 7f3a --raw | less -R', 'the bytes as they came: these can drive your terminal'],
  ],
  options: (command) =>
    command
      .option('--pass <number>', 'which pass')
      .option('--raw', 'leave control characters as they are'),
  async run(context, [id], { pass, raw }) {
    const number = pass === undefined ? undefined : toCount('--pass', pass)
    const client = await context.connect()
    const path = pathOf(`${await loopPath(client, id!)}/output`, { pass: number })
    printOutput(await client.bytes(path), raw === true, context)
    return 0
  },
}
