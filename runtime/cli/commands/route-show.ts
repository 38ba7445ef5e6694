import type { Route, RouteMatch } from '../../proxy/routing/api.ts'
import { type SubCommand, segment } from '../command.ts'
import { toFields } from '../fields.ts'
import { toTargetText } from './route-list.ts'

export const routeShow: SubCommand = {
  name: 'route show',
  args: '<name>',
  summary: 'Show one route with its conditions.',
  examples: [['route show opus --json', 'as the API has it']],
  async run({ connect, out }, [name]) {
    const client = await connect()
    const route = await client.json<Route>(`/api/routes/${segment(name!)}`)
    out.show(route, ({ match, targets, strategy, retry, affinity, pingS }, look) =>
      toFields(
        {
          models: match.models.join(', '),
          only: toConditions(match),
          targets: targets.map(toTargetText).join(', '),
          strategy,
          affinity,
          retry: retry ? `${retry.on.join(', ')}; ${retry.triesMax} tries` : 'off',
          pings: pingS === null ? 'none' : `after ${pingS} s of silence in a stream`,
        },
        look,
      ),
    )
    return 0
  },
}

function toConditions({ models: _, ...conditions }: RouteMatch): string | null {
  const texts = Object.entries(conditions).map(
    ([name, value]) => `${name} ${JSON.stringify(value)}`,
  )
  return texts.length === 0 ? null : texts.join(', ')
}
