import { toDurationText } from '#kernel/units.ts'
import type { Exec, ExecResult } from '../../weaver/api.ts'
import { type SubCommand, segment, toCount } from '../command.ts'
import { printOutput } from '../raw.ts'

export const sandboxExec: SubCommand<{ timeout: string; raw?: boolean }> = {
  name: 'sandbox exec',
  args: '<id> <command...>',
  summary: 'Run a program in a sandbox.',
  details:
    "Exits with the program's exit code, 124 after the time-out. Options stand before the id.",
  examples: [
    ['sandbox exec sb-12 git status', 'in the workspace'],
    ['sandbox exec --timeout 5 sb-12 sh -c "sleep 9"', 'for five seconds at most'],
  ],
  options: (command) =>
    command
      .option('--timeout <seconds>', 'how long it may run', '60')
      .option('--raw', 'leave control characters of its output as they are')
      .passThroughOptions(),
  async run(context, [id, ...argv], { timeout, raw }) {
    const timeoutMs = toCount('--timeout', timeout) * 1_000
    const client = await context.connect()
    const json: Exec = { argv, env: {}, timeoutMs }
    const path = `/api/sandboxes/${segment(id!)}/exec`
    const silentMsMax = timeoutMs + 30_000 // The answer comes when it has ended.
    const result = await client.json<ExecResult>(path, { method: 'POST', json, silentMsMax })
    if (context.out.isJson) context.out.show(result, () => [])
    else printOutput(Buffer.from(result.output), raw === true, context)
    if (result.timedOut) context.out.note(`Ended after ${toDurationText(result.ms)}: time-out.`)
    return result.exit
  },
}
