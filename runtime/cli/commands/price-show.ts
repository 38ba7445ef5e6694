import type { PriceRow } from '../../proxy/api.ts'
import { pathOf, type SubCommand } from '../command.ts'
import { toFields } from '../fields.ts'
import { toPriceFields } from '../price-rows.ts'

export const priceShow: SubCommand = {
  name: 'price show',
  args: '<model>',
  summary: 'Say what one model costs, with its tiers, tools and limits.',
  details: 'In US dollars for a million tokens, and for one use of a tool of the vendor.',
  examples: [
    ['price show claude-opus-4-5', 'one model, also one that no provider lists'],
    ['price show gpt-5 --json', 'the same for a program'],
  ],
  async run({ connect, out }, [model]) {
    const client = await connect()
    const rows = await client.json<PriceRow[]>(pathOf('/api/prices', { model: model! }))
    out.show(rows, (shown, look) =>
      shown.flatMap((row, at) => [
        ...(at === 0 ? [] : ['']),
        ...toFields(toPriceFields(row), look),
      ]),
    )
    return 0
  },
}
