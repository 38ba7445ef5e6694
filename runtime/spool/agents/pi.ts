import type { Profile, Task } from './profile.ts'
import { withPromptAsInput } from './shell.ts'

/** Its package's own entry point; needs Node 22 or newer. */
export const piEntry = 'node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js'

const retriesMax = 2 // The loop is what tries again; an agent that does so for minutes looks hung.
const contextTokens = 200_000
const outputTokensMax = 32_000

/** pi: Messages where the model is served on it, else chat. A repository's own `.pi` folder is not trusted. */
export const pi = ({ loop, wires, programs: { node, app } }: Task): Profile => ({
  argv: withPromptAsInput(
    node,
    `${app}/${piEntry}`,
    '--print',
    '--mode',
    'json',
    '--offline',
    '--no-session',
    '--no-approve',
    '--provider',
    'treadle',
    '--model',
    loop.model,
  ),
  env: { PI_OFFLINE: '1', PI_TELEMETRY: '0', PI_SKIP_VERSION_CHECK: '1' },
  files: [
    {
      path: '.pi/agent/settings.json',
      content: JSON.stringify({ retry: { maxRetries: retriesMax } }),
    },
    {
      path: '.pi/agent/models.json',
      content: JSON.stringify({ providers: { treadle: toProvider(loop.model, wires) } }),
    },
  ],
})

const toProvider = (model: string, wires: Task['wires']) => ({
  ...(wires.includes('messages')
    ? { baseUrl: '{{origin}}', api: 'anthropic-messages' }
    : { baseUrl: '{{origin}}/v1', api: 'openai-completions' }),
  apiKey: '$TREADLE_TOKEN', // pi reads the variable itself.
  models: [{ id: model, contextWindow: contextTokens, maxTokens: outputTokensMax }],
})
