import { attachTerminal } from '../attach.ts'
import type { SubCommand } from '../command.ts'

export const sandboxAttach: SubCommand = {
  name: 'sandbox attach',
  args: '<id>',
  summary: "Open the terminal of a sandbox's agent.",
  details:
    'Shows the agent, and takes your keys to it. Ctrl-] leaves it running. What runs there can drive your terminal.',
  examples: [['sandbox attach sb-12', 'leave with Ctrl-]']],
  async run(context, [id]) {
    const { access } = await context.connect()
    context.out.note(await attachTerminal(id!, access, context))
    return 0
  },
}
