import type { Profile, Task } from './profile.ts'

/** Any program. `{{origin}}` is left for the sandbox, which alone knows it. */
export const command = ({ loop: { prompt, model } }: Task, argv: readonly string[]): Profile => ({
  argv: argv.map((part) => fill(part, { prompt, model })),
  env: {},
  files: [],
})

/** In one pass, so that a prompt may speak of `{{model}}`. */
const fill = (part: string, values: { prompt: string; model: string }) =>
  part.replace(/\{\{(prompt|model)\}\}/g, (_, name: 'prompt' | 'model') => values[name])
