import type { NewLoop } from '../api.ts'
import { fill } from './config-text.ts'

/** Any program, by the user's own words. `{{origin}}` is left for the sandbox, which alone knows it. */
export const command = ({ prompt, model }: NewLoop, argv: readonly string[]) => ({
  argv: argv.map((part) => fill(part, { ours: {}, theirs: { prompt, model } })),
  env: {},
  files: [],
})
