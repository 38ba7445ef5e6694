import type { Provider, ProviderChange } from '../../proxy/api.ts'
import { type SubCommand, segment } from '../command.ts'
import { readSecret } from '../instance.ts'

export const providerRotate: SubCommand<{ keyFile: string }> = {
  name: 'provider rotate',
  args: '<name>',
  summary: "Replace a provider's key.",
  details:
    'The next call uses the new one; calls that run end with the old one. Then revoke the old one at the vendor. With --url, write --url and its --key-file before the word provider.',
  examples: [['provider rotate claude --key-file ~/new.key', 'no call fails meanwhile']],
  options: (command) =>
    command.requiredOption('--key-file <file>', 'file that holds the new key, and nothing else'),
  async run({ connect, out }, [name], { keyFile }) {
    const key = readSecret(keyFile, "the provider's new key")
    const json: ProviderChange = { key: key.reveal() }
    const client = await connect()
    const path = `/api/providers/${segment(name!)}`
    const changed = await client.json<Provider>(path, { method: 'PUT', json })
    out.show(changed, (provider) => [`Rotated the key of ${provider.name}.`])
    out.note(`Try it: treadle provider test ${name}`)
    return 0
  },
}
