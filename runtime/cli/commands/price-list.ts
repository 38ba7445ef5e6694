import type { PriceRow } from '../../proxy/api.ts'
import type { SubCommand } from '../command.ts'
import { priceColumns } from '../price-rows.ts'
import { toTable } from '../table.ts'

export const priceList: SubCommand = {
  name: 'price list',
  summary: 'List what the models of your providers cost.',
  details:
    'In US dollars for a million tokens. FROM says whose price it is: your config, your file, the file that ships, or the built-in list; - = none, so its calls are counted as unpriced.',
  examples: [
    ['price list', 'every model that a provider lists'],
    ['price list --json', 'with all tiers, tools and limits'],
  ],
  async run({ connect, out }) {
    const client = await connect()
    const rows = await client.json<PriceRow[]>('/api/prices')
    out.show(rows, (shown, look) =>
      shown.length === 0 ? [empty] : toTable(shown, priceColumns, look),
    )
    return 0
  },
}

const empty = 'No provider lists a model yet. Look one up: treadle price show claude-opus-4-5'
