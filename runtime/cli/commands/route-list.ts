import type { Route } from '../../proxy/routing/api.ts'
import type { Page } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import type { Column } from '../table.ts'

export const routeList: SubCommand = {
  name: 'route list',
  summary: 'List where models go that have a route.',
  examples: [['route list', 'the closer a route describes a call, the sooner it is asked']],
  async run({ connect, out }) {
    const client = await connect()
    const page = await client.json<Page<Route>>('/api/routes')
    out.page(page, columns, empty)
    return 0
  },
}

const empty =
  'No routes: the oldest provider that lists a model serves it. Add one: treadle route add NAME --models M --to PROVIDER'

const columns: Column<Route>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'MODELS', of: ({ match }) => match.models.join(', ') },
  { title: 'TARGETS', of: ({ targets }) => targets.map(toTargetText).join(', ') },
  { title: 'STRATEGY', of: ({ strategy }) => strategy },
  { title: 'RETRY ON', of: ({ retry }) => (retry ? retry.on.join(', ') : '-') },
]

export const toTargetText = ({ provider, model, weight }: Route['targets'][number]) =>
  `${provider}${model === undefined ? '' : `=${model}`}${weight === 1 ? '' : `@${weight}`}`
