import { readFileSync } from 'node:fs'
import type { PriceCheck } from '../../proxy/api.ts'
import type { SubCommand } from '../command.ts'
import { failure } from '../errors.ts'

export const priceCheck: SubCommand = {
  name: 'price check',
  args: '<file>',
  summary: 'Say whether a file of prices would be taken. Nothing changes.',
  details: 'A right file goes where proxy.pricesFile of the config names it, and holds at once.',
  examples: [
    ['price check prices.json', 'every mistake at once, with its place'],
    ['price check prices.json --json', 'the same for a program'],
  ],
  async run({ connect, out }, [file]) {
    const json = readJson(file!)
    const client = await connect()
    const checked = await client.json<PriceCheck>('/api/prices/check', { method: 'POST', json })
    out.show(checked, ({ ok, models, problems }) =>
      ok
        ? [`The file is right: ${models} ${models === 1 ? 'entry' : 'entries'}.`]
        : problems.map(({ path, value, message }) =>
            value === undefined ? `${path}: ${message}` : `${path} = ${value}: ${message}`,
          ),
    )
    return checked.ok ? 0 : 1
  },
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const why = (cause as Error).message
    throw failure('cli/file', `${path} can't be read as JSON: ${why}`, { cause })
  }
}
