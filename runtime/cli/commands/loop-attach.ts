import type { Pass } from '../../spool/api.ts'
import { attachTerminal } from '../attach.ts'
import { type AttachOptions, attachDetails, toMode, withModes } from '../attach-mode.ts'
import type { SubCommand } from '../command.ts'
import { failure } from '../errors.ts'
import { loopPath } from '../loop-id.ts'

export const loopAttach: SubCommand<AttachOptions> = {
  name: 'loop attach',
  args: '<id>',
  summary: "Open the terminal of a loop's agent.",
  details: `Shows the agent of the present pass, and takes your keys to it. ${attachDetails}`,
  options: withModes,
  examples: [
    ['loop attach 7f3a', 'see the agent work; leave with Ctrl-]'],
    ['loop attach 7f3a --view | tee seen', 'keep what it writes from now on'],
  ],
  async run(context, [id], options) {
    const mode = toMode(options, context)
    const client = await context.connect()
    const passes = await client.json<Pass[]>(`${await loopPath(client, id!)}/passes`)
    const sandbox = passes.find(({ phase, sandbox }) => phase === 'agent' && sandbox)?.sandbox
    if (!sandbox) throw failure('cli/no-agent', 'No agent of this loop is at work at the moment.')
    context.out.note(await attachTerminal(sandbox, mode, context))
    return 0
  },
}
