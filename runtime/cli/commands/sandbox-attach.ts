import { attachTerminal } from '../attach.ts'
import { type AttachOptions, attachDetails, toMode, withModes } from '../attach-mode.ts'
import type { SubCommand } from '../command.ts'

export const sandboxAttach: SubCommand<AttachOptions> = {
  name: 'sandbox attach',
  args: '<id>',
  summary: "Open the terminal of a sandbox's agent.",
  details: `Shows the agent, and takes your keys to it. ${attachDetails}`,
  options: withModes,
  examples: [
    ['sandbox attach sb-12', 'type where nobody else does; leave with Ctrl-]'],
    ['sandbox attach sb-12 --view', 'only watch'],
    ['sandbox attach sb-12 --write', 'take over from whoever writes'],
  ],
  async run(context, [id], options) {
    const mode = toMode(options, context)
    context.out.note(await attachTerminal(id!, mode, context))
    return 0
  },
}
