import type { Profile } from './profile.ts'

/**
 * The program is its user's own: its licence forbids to ship it. CLAUDE_CODE_SUBPROCESS_ENV_SCRUB would keep the token
 * from its commands, and then wants a sandbox of its own around each, which can't be made within ours.
 */
export const claude: Profile = {
  title: 'Claude Code',
  licence: "proprietary: bring your own, under Anthropic's terms",
  program: {
    kind: 'native',
    package: '@anthropic-ai/claude-code',
    parts: ['@anthropic-ai/claude-code-linux-{{arch}}'],
    entry: 'claude',
    command: 'claude',
    install: 'npm install --global @anthropic-ai/claude-code',
  },
  provedVersion: '2.1.330',
  proof: 'recorded conversation',
  memoryBytes: 430 * 1024 ** 2,
  wires: [{ wire: 'messages', base: '{{origin}}', api: 'messages' }],
  prompt: 'on its input',
  args: [
    ...['--print', '--output-format=stream-json', '--verbose', '--model={{model}}'],
    '--dangerously-skip-permissions', // The sandbox is the wall. Nobody is there to be asked.
  ],
  env: {
    ANTHROPIC_BASE_URL: '{{base}}',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', // Telemetry, updates and their like.
    CLAUDE_CODE_MAX_RETRIES: '3',
  },
  tokenVariable: 'ANTHROPIC_AUTH_TOKEN',
  files: [],
  exits: { 1: 'a call was refused, or it was not allowed to go on' },
  exitTells: true,
  token: 'seen by its commands',
}
