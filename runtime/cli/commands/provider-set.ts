import type { Provider, ProviderChange } from '../../proxy/api.ts'
import { type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'
import { readSecret } from '../instance.ts'
import { type SettingsOptions, toSettings, withSettings } from '../provider-settings.ts'
import { toModels } from './provider-add.ts'

type Options = SettingsOptions & {
  models?: string
  baseUrl?: string
  keyFile?: string
  allowPrivate?: boolean
}

export const providerSet: SubCommand<Options> = {
  name: 'provider set',
  args: '<name>',
  summary: "Change a provider's models, address or limits.",
  details:
    'What is not named stays. A new address wants the key again, for a stored one goes nowhere else. It holds from the next call on.',
  examples: [
    ['provider set claude --models claude-sonnet-4-5,claude-opus-4-5', 'these, and no other'],
    ['provider set claude --calls-max 8 --region eu --retention zdr', 'for routes and policies'],
    ['provider set local --base-url https://models.example --key-file k', 'another address'],
  ],
  options: (command) =>
    withSettings(command)
      .option('--models <names>', 'all models that go to this provider, with commas between')
      .option('--base-url <url>', 'address before /v1 or /v1beta')
      .option('--key-file <file>', 'file that holds the key, and nothing else')
      .option('--allow-private', 'let the address be private, loopback or link-local')
      .option('--no-allow-private', 'do not let it'),
  async run({ connect, out }, [name], options) {
    const json = toChange(options)
    if (Object.keys(json).length === 0) {
      const hint =
        'Say what is to change: --models, --base-url, --key-file, --[no-]allow-private, or a setting.'
      throw failure('cli/usage', hint)
    }
    const client = await connect()
    const path = `/api/providers/${segment(name!)}`
    const changed = await client.json<Provider>(path, { method: 'PUT', json })
    out.show(changed, (provider) => [`Changed ${provider.name} at ${provider.baseUrl}.`])
    return 0
  },
}

const toChange = ({
  models,
  baseUrl,
  keyFile,
  allowPrivate,
  ...settings
}: Options): ProviderChange => ({
  ...toSettings(settings),
  ...(models !== undefined && { models: toModels(models) }),
  ...(baseUrl !== undefined && { baseUrl }),
  ...(allowPrivate !== undefined && { allowPrivate }),
  ...(keyFile !== undefined && { key: readSecret(keyFile, "the provider's key").reveal() }),
})
