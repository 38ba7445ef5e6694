import { toDurationText } from '#kernel/units.ts'
import type { ProviderTest } from '../../proxy/api.ts'
import { type SubCommand, segment } from '../command.ts'

export const providerTest: SubCommand = {
  name: 'provider test',
  args: '<name>',
  summary: 'Ask a provider something with its stored key.',
  details: 'Exits 1 when the provider refuses, or does not answer.',
  examples: [['provider test claude', 'is the key good, and the address right?']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    const path = `/api/providers/${segment(name!)}/test`
    const found = await client.json<ProviderTest>(path, { method: 'POST' })
    out.show(found, ({ ok, status, latencyMs, error }, { colours }) => {
      const mark = ok ? colours.green('✓') : colours.red('✗')
      const answer = status === null ? 'no answer' : `answered ${status}`
      const why = error === null ? '' : `: ${error}`
      return [`${mark} ${answer} after ${toDurationText(latencyMs)}${why}`]
    })
    return found.ok ? 0 : 1
  },
}
