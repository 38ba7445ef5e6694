import type { Profile } from './profile.ts'

/** The sandbox is ours, so its own is off; so is whatever calls home. */
export const codex: Profile = {
  title: 'Codex',
  licence: 'Apache-2.0',
  program: {
    kind: 'node',
    package: '@openai/codex',
    entry: 'bin/codex.js', // It starts the native program of this machine's kind.
    command: 'codex',
    install: 'npm install --global @openai/codex',
  },
  provedVersion: '0.169.0',
  proof: 'real program',
  memoryBytes: 260 * 1024 ** 2,
  wires: [{ wire: 'responses', base: '{{origin}}/v1', api: 'responses' }],
  prompt: 'on its input',
  args: ['exec', '--strict-config', '--skip-git-repo-check', '--ephemeral', '-'],
  env: {},
  files: [
    {
      path: '.codex/config.toml',
      format: 'toml',
      content: {
        model: '{{model}}',
        model_provider: 'treadle',
        approval_policy: 'never',
        sandbox_mode: 'danger-full-access',
        web_search: 'disabled',
        check_for_update_on_startup: false,
        allow_login_shell: false, // A login shell resets PATH.
        analytics: { enabled: false },
        feedback: { enabled: false },
        history: { persistence: 'none' },
        features: {
          plugins: false,
          apps: false,
          goals: false,
          shell_snapshot: false, // A run that is killed would leave a file with the token in it.
          unbounded_connection_retries: false,
        },
        shell_environment_policy: { exclude: ['TREADLE_TOKEN'] },
        agents: { enabled: false },
        model_providers: {
          treadle: {
            name: 'Treadle',
            base_url: '{{base}}',
            wire_api: '{{api}}',
            env_key: 'TREADLE_TOKEN',
            requires_openai_auth: false,
            supports_websockets: false,
            request_max_retries: 2,
            stream_max_retries: 2,
            stream_idle_timeout_ms: 300_000,
          },
        },
      },
    },
  ],
  exits: { 1: 'a turn failed, or its configuration is refused' },
  exitTells: true,
  token: 'kept from its commands',
}
