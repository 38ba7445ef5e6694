import { Option } from 'commander'
import type { NewRouteInput, Route } from '../../proxy/routing/api.ts'
import { type SubCommand, segment, toCount } from '../command.ts'
import { failure } from '../errors.ts'
import { toModels } from './provider-add.ts'

type Options = {
  models: string
  to: string[]
  strategy?: NewRouteInput['strategy']
  retryOn?: string
  tries?: string
  affinity: boolean
  ping?: string
  wires?: string
  stream?: boolean
  tag?: string[]
  keys?: string
  teams?: string
  regions?: string
  retention?: string
  replace?: boolean
}

export const routeAdd: SubCommand<Options> = {
  name: 'route add',
  args: '<name>',
  summary: 'Say which providers serve some models, and in which order.',
  details:
    'Without a route the oldest provider that lists a model serves it. A target is PROVIDER, PROVIDER=MODEL for another name there, and may end in @WEIGHT; the first named goes first. Nothing is sent twice unless --retry-on says so.',
  examples: [
    [
      'route add opus --models claude-opus-* --to claude --to claude-eu --retry-on overloaded,rate-limited',
      'the second where the first is full',
    ],
    ['route add split --models gpt-5 --to a@3 --to b@1 --strategy weighted', 'three of four to a'],
    ['route add cheap --models fast --to local=qwen3', 'a name of your own'],
  ],
  options: (command) =>
    command
      .requiredOption('--models <names>', 'names, or beginnings and a star, with commas between')
      .requiredOption('--to <target>', 'a provider; again for each further one', collect)
      .addOption(
        new Option('--strategy <strategy>', 'how one is chosen').choices([
          'order',
          'weighted',
          'least-busy',
        ]),
      )
      .option(
        '--retry-on <classes>',
        'dead-key, rate-limited, busy, overloaded, unsent, failed, unanswered, with commas between',
      )
      .option('--tries <count>', 'how many in all, 5 at most; 3 unless said')
      .option('--no-affinity', 'do not keep the calls of a session together')
      .option('--ping <seconds>', 'a sign of life in a stream that is silent for so long')
      .option('--wires <names>', 'only messages, chat, responses or gemini')
      .option('--stream', 'only calls that stream')
      .option('--no-stream', 'only calls that do not')
      .option('--tag <tag>', 'only calls with this tag, NAME=VALUE; again for more', collect)
      .option('--keys <ids>', 'only calls of these API keys')
      .option('--teams <names>', 'only calls of these teams')
      .option('--regions <names>', 'only calls whose policy asks for one of these')
      .option('--retention <labels>', 'only calls whose policy asks for all of these')
      .option('--replace', 'change the route of this name'),
  async run({ connect, out }, [name], options) {
    const json = toRoute(name!, options)
    const client = await connect()
    const route = options.replace
      ? await client.json<Route>(`/api/routes/${segment(name!)}`, { method: 'PUT', json })
      : await client.json<Route>('/api/routes', { method: 'POST', json })
    out.show(route, (made) => [`Route ${made.name}: ${made.match.models.join(', ')}.`])
    out.note(`Try it: treadle proxy explain --model ${toExample(route)}`)
    return 0
  },
}

export const collect = (text: string, before: string[] = []) => [...before, text]

const toExample = ({ match }: Route) => match.models[0]!.replace(/\*$/, 'NAME')

function toRoute(name: string, options: Options): NewRouteInput {
  const { strategy, retryOn, tries, affinity, ping } = options
  const on = retryOn === undefined ? [] : (toModels(retryOn) as never[])
  const triesMax = tries === undefined ? 3 : toCount('--tries', tries)
  return {
    name,
    match: toMatch(options),
    targets: options.to.map(toTarget),
    ...(strategy && { strategy }),
    ...(on.length > 0 && { retry: { triesMax, on } }),
    affinity: affinity ? 'session' : 'off',
    ...(ping !== undefined && { pingS: toCount('--ping', ping) }),
  }
}

function toMatch(options: Options): NewRouteInput['match'] {
  const { models, wires, stream, tag, keys, teams, regions, retention } = options
  return {
    models: toModels(models),
    ...(wires !== undefined && { wires: toModels(wires) as never[] }),
    ...(stream !== undefined && { stream }),
    ...(tag && { tags: toTags(tag) }),
    ...(keys !== undefined && { keys: toModels(keys) }),
    ...(teams !== undefined && { teams: toModels(teams) }),
    ...(regions !== undefined && { regions: toModels(regions) }),
    ...(retention !== undefined && { retention: toModels(retention) }),
  }
}

/** `claude`, `claude=claude-opus-5`, `claude=claude-opus-5@3`. */
function toTarget(text: string, order: number) {
  const [, provider, model, weight] =
    /^([^=@]+)(?:=([^@]+(?:@(?!\d+$)[^@]*)*))?(?:@(\d+))?$/.exec(text) ?? []
  if (provider === undefined) {
    throw failure(
      'cli/usage',
      `--to ${text} is no target. Write PROVIDER, PROVIDER=MODEL or PROVIDER@WEIGHT.`,
    )
  }
  return { provider, order, ...(model && { model }), ...(weight && { weight: Number(weight) }) }
}

export function toTags(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw failure('cli/usage', `--tag ${text} is no tag. Write NAME=VALUE.`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}
