import type { Pass } from '../../spool/api.ts'
import { attachTerminal } from '../attach.ts'
import { type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'

export const loopAttach: SubCommand = {
  name: 'loop attach',
  args: '<id>',
  summary: "Open the terminal of a loop's agent.",
  details:
    'Shows the agent of the present pass, and takes your keys to it. Ctrl-] leaves it running. What runs there can drive your terminal.',
  examples: [['loop attach 7f3a', 'see the agent work; leave with Ctrl-]']],
  async run(context, [id]) {
    const client = await context.connect()
    const passes = await client.json<Pass[]>(`/api/loops/${segment(id!)}/passes`)
    const sandbox = passes.find(({ phase, sandbox }) => phase === 'agent' && sandbox)?.sandbox
    if (!sandbox) throw failure('cli/no-agent', 'No agent of this loop is at work at the moment.')
    context.out.note(await attachTerminal(sandbox, client.access, context))
    return 0
  },
}
