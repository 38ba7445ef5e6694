import type { Profile } from './profile.ts'

/** A repository's own `.pi` folder is not trusted (--no-approve): an agent could plant something for its next pass. */
export const pi: Profile = {
  title: 'pi',
  licence: 'MIT',
  program: {
    kind: 'node',
    package: '@earendil-works/pi-coding-agent',
    entry: 'dist/bundle/cli.js',
    command: 'pi',
    install: 'npm install --global @earendil-works/pi-coding-agent',
  },
  provedVersion: '0.87.1',
  proof: 'real program',
  memoryBytes: 245 * 1024 ** 2,
  wires: [
    { wire: 'messages', base: '{{origin}}', api: 'anthropic-messages' },
    { wire: 'chat', base: '{{origin}}/v1', api: 'openai-completions' },
    { wire: 'responses', base: '{{origin}}/v1', api: 'openai-responses' },
    { wire: 'gemini', base: '{{origin}}/v1beta', api: 'google-generative-ai' },
  ],
  prompt: 'on its input',
  args: [
    ...['--print', '--mode', 'json', '--offline', '--no-session', '--no-approve'],
    ...['--provider', 'treadle', '--model', '{{model}}'],
  ],
  env: { PI_OFFLINE: '1', PI_TELEMETRY: '0', PI_SKIP_VERSION_CHECK: '1' },
  files: [
    { path: '.pi/agent/settings.json', format: 'json', content: { retry: { maxRetries: 2 } } },
    {
      path: '.pi/agent/models.json',
      format: 'json',
      content: {
        providers: {
          treadle: {
            baseUrl: '{{base}}',
            api: '{{api}}',
            apiKey: '$TREADLE_TOKEN', // pi reads the variable itself.
            models: [{ id: '{{model}}', contextWindow: 200_000, maxTokens: 32_000 }],
          },
        },
      },
    },
  ],
  exits: {},
  exitTells: false, // In this mode it ends with 0 though every call failed.
  token: 'seen by its commands',
}
