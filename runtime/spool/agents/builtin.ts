import type { Profile, Task } from './profile.ts'
import { withPromptFile } from './shell.ts'

/** Our own agent, on the Messages wire. */
export const builtin = ({ loop, programs: { node, app } }: Task): Profile => ({
  argv: withPromptFile(
    node,
    `${app}/runtime/agent/main.ts`,
    '--headless',
    '--model',
    loop.model,
    '--origin',
    '{{origin}}',
    '--prompt-file',
  ),
  env: {},
  files: [],
})
