// A loop whose agent is a person's to talk with: a small shell loop on its terminal that answers each line.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NewLoopInput, Pass } from '../../spool/api.ts'
import type { TestAppliance } from '../appliance.ts'
import { createDemoLoop, git } from '../demo-loop.ts'

export type ShellAgent = { loop: string; sandbox: string }
type Options = {
  over?: Partial<NewLoopInput>
  /** Shell lines to run at first. */
  greeting?: string
  /** Scripts by name, for `run NAME`. */
  scripts?: Readonly<Record<string, string>>
}

/** Says `ready`, then `heard TEXT` to each line; `quit` ends it, `run NAME` runs a script of the work tree. */
const program = `
echo ready
while read -r line; do
  case "$line" in
    quit) exit 0 ;;
    run\\ *) sh "./\${line#run }" ;;
    *) echo "heard $line" ;;
  esac
done`

export async function startShellAgent(
  treadle: TestAppliance,
  { over = {}, greeting = '', scripts = {} }: Options = {},
): Promise<ShellAgent> {
  const spec = await createDemoLoop(treadle.state, 'fix-adder', {
    agent: { command: ['/bin/sh', '-c', greeting + program], wire: 'anthropic' },
    ...over,
  })
  for (const [name, text] of Object.entries(scripts))
    writeFileSync(join(spec.repository, name), text)
  git(spec.repository, 'add', '--all')
  const who = ['-c', 'user.name=someone', '-c', 'user.email=someone@example.invalid']
  git(spec.repository, ...who, 'commit', '--quiet', '--allow-empty', '--message', 'scripts')
  const { id } = await treadle.submit(spec)
  const { sandbox } = await speakingPass(treadle, id)
  return { loop: id, sandbox: sandbox! }
}

/** The newest pass, once its agent has said something. */
export const speakingPass = (treadle: TestAppliance, loop: string): Promise<Pass> =>
  treadle.until('an agent that says something', async () => {
    const found = (await treadle.passes(loop)).at(-1)
    if (!found?.sandbox || found.phase !== 'agent') return false
    const path = `/api/sandboxes/${found.sandbox}/agent`
    const { outputBytes } = await treadle.client.get<{ outputBytes: number }>(path)
    return outputBytes > 0 && found
  })
