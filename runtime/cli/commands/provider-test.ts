import { toDurationText } from '#kernel/units.ts'
import type { ProviderTest } from '../../proxy/api.ts'
import type { Colours } from '../colours.ts'
import { type SubCommand, segment } from '../command.ts'

type Options = { call?: boolean; model?: string }

export const providerTest: SubCommand<Options> = {
  name: 'provider test',
  args: '<name>',
  summary: 'Ask a provider something with its stored key.',
  details:
    'Asks for its models, which costs nothing; with --call also for one token. Exits 1 when the provider refuses, or does not answer.',
  examples: [
    ['provider test claude', 'is the key good, and the address right?'],
    ['provider test claude --call', 'has the account money, and may it use the model?'],
  ],
  options: (command) =>
    command
      .option('--call', 'ask a model for one token as well')
      .option('--model <name>', 'which one; the first that it lists unless said'),
  async run({ connect, out }, [name], { call, model }) {
    const client = await connect()
    const path = `/api/providers/${segment(name!)}/test`
    const found = await client.json<ProviderTest>(path, {
      method: 'POST',
      json: { call: call === true, ...(model !== undefined && { model }) },
    })
    out.show(found, ({ status, latencyMs, error, call: tried }, { colours }) => {
      const isListed = status !== null && status < 300
      const mark = isListed ? colours.green('✓') : colours.red('✗')
      const answer = status === null ? 'no answer' : `answered ${status}`
      const why = error === null ? '' : `: ${error}`
      const first = `${mark} ${answer} after ${toDurationText(latencyMs)}${why}`
      return tried ? [first, toCallText(tried, colours)] : [first]
    })
    if (found.warning) out.note(found.warning)
    return found.ok ? 0 : 1
  },
}

type Tried = NonNullable<ProviderTest['call']>

function toCallText({ ok, model, status, error }: Tried, colours: Colours): string {
  const mark = ok ? colours.green('✓') : colours.red('✗')
  const answer = status === null ? 'no answer' : `answered ${status}`
  return `${mark} a call of ${model}: ${answer}${error === null ? '' : `: ${error}`}`
}
