import type { Profile } from './profile.ts'

const model = 'treadle/{{model}}'

/** `--title` saves a call of the model. A repository's own opencode.json is left aside. */
export const opencode: Profile = {
  title: 'opencode',
  licence: 'MIT',
  program: {
    kind: 'native',
    package: 'opencode-ai',
    // The baseline needs no AVX2, so it runs on every machine.
    parts: ['opencode-linux-{{arch}}-baseline', 'opencode-linux-{{arch}}'],
    entry: 'bin/opencode',
    command: 'opencode',
    install: 'npm install --global opencode-ai',
  },
  provedVersion: '1.18.33',
  proof: 'real program',
  memoryBytes: 1_331 * 1024 ** 2,
  wires: [
    { wire: 'messages', base: '{{origin}}/v1', api: '@ai-sdk/anthropic' },
    { wire: 'chat', base: '{{origin}}/v1', api: '@ai-sdk/openai-compatible' },
    { wire: 'responses', base: '{{origin}}/v1', api: '@ai-sdk/openai' },
  ],
  prompt: 'on its input',
  args: ['run', '--format=json', '--title=treadle', `--model=${model}`],
  env: {
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_CLAUDE_CODE: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_PROJECT_CONFIG: '1',
    OPENCODE_DISABLE_SHARE: '1',
    OPENCODE_DISABLE_TERMINAL_TITLE: '1',
  },
  files: [
    {
      path: '.config/opencode/opencode.json',
      format: 'json',
      content: {
        autoupdate: false,
        share: 'disabled',
        snapshot: false, // Each pass is a commit already.
        model,
        small_model: model,
        enabled_providers: ['treadle'],
        permission: { '*': 'allow', webfetch: 'deny' },
        provider: {
          treadle: {
            npm: '{{api}}',
            name: 'Treadle',
            options: { baseURL: '{{base}}', apiKey: '{env:TREADLE_TOKEN}' },
            models: {
              '{{model}}': {
                name: '{{model}}',
                tool_call: true,
                limit: { context: 200_000, output: 32_000 },
              },
            },
          },
        },
      },
    },
  ],
  exits: {},
  exitTells: true,
  token: 'seen by its commands',
}
