import type { Profile } from './profile.ts'

/** Our own agent. */
export const builtin: Profile = {
  title: "Treadle's own",
  licence: 'Apache-2.0',
  program: { kind: 'ours', entry: 'runtime/agent/main.ts' },
  provedVersion: null,
  proof: 'real program',
  memoryBytes: 150 * 1024 ** 2,
  wires: [{ wire: 'messages', base: '{{origin}}', api: 'messages' }],
  prompt: 'by its path as the last argument',
  args: ['--headless', '--model', '{{model}}', '--origin', '{{base}}', '--prompt-file'],
  env: {},
  files: [],
  exits: {},
  exitTells: true,
  token: 'kept from its commands',
}
