import { Option } from 'commander'
import type { NewProviderInput, Provider, ProviderKind } from '../../proxy/api.ts'
import type { SubCommand } from '../command.ts'
import { readSecret } from '../instance.ts'
import { type SettingsOptions, toSettings, withSettings } from '../provider-settings.ts'

type Options = SettingsOptions & {
  kind: NewProviderInput['kind']
  keyFile: string
  baseUrl?: string
  allowPrivate?: boolean
  models?: string
}

export const providerAdd: SubCommand<Options> = {
  name: 'provider add',
  args: '<name>',
  summary: 'Store the key of a model provider.',
  details:
    'Agents never see it: the proxy adds it to their calls. With --url, write --url and its --key-file before the word provider.',
  examples: [
    [
      'provider add claude --kind anthropic --key-file ~/claude.key --models claude-sonnet-4-5',
      'a vendor',
    ],
    ['provider add google --kind gemini --key-file k --models gemini-2.5-pro', 'Google’s Gemini'],
    [
      'provider add local --kind openai --base-url http://127.0.0.1:8000 --allow-private --key-file k --models qwen',
      'a server of your own',
    ],
  ],
  options: (command) =>
    withSettings(command)
      .addOption(
        new Option('--kind <kind>', 'which wire it speaks').choices(kinds).makeOptionMandatory(),
      )
      .requiredOption('--key-file <file>', 'file that holds the key, and nothing else')
      .option('--base-url <url>', 'address before /v1 or /v1beta, where it is not the vendor’s')
      .option('--allow-private', 'let the address be private, loopback or link-local')
      .option('--models <names>', 'models that go to this provider, with commas between'),
  async run({ connect, out }, [name], options) {
    const { kind, keyFile, baseUrl, allowPrivate, models } = options
    const key = readSecret(keyFile, "the provider's key")
    const json: NewProviderInput = {
      name: name!,
      kind,
      key: key.reveal(),
      ...(baseUrl !== undefined && { baseUrl }),
      allowPrivate: allowPrivate === true,
      models: toModels(models ?? ''),
      ...toSettings(options),
    }
    const client = await connect()
    const made = await client.json<Provider>('/api/providers', { method: 'POST', json })
    out.show(made, (provider) => [`Added ${provider.name} at ${provider.baseUrl}.`])
    out.note(`Try it: treadle provider test ${name}`)
    return 0
  },
}

// Named here, for a command takes of a role its wire types alone.
const kinds: readonly ProviderKind[] = ['anthropic', 'openai', 'gemini', 'zai', 'openai-compatible']

export const toModels = (text: string): string[] =>
  text
    .split(',')
    .map((model) => model.trim())
    .filter(Boolean)
