import type { Command } from 'commander'
import { toUsdText } from '#kernel/units.ts'
import type { Call, UsageRow } from '../../proxy/api.ts'
import type { Page } from '../../spool/api.ts'
import { callColumns, callCsvColumns } from '../call-rows.ts'
import { type Context, pathOf, type SubCommand } from '../command.ts'
import { type CsvColumn, toCsv, toUsdNumber } from '../csv.ts'
import { failure } from '../errors.ts'
import { toCountText } from '../event-text.ts'
import type { Look } from '../output.ts'
import { type Column, toTable } from '../table.ts'

type Options = {
  days?: string
  loop?: string
  csv?: boolean
  calls?: boolean
  pass?: string
  sandbox?: string
  model?: string
  by?: string
  team?: string
  endUser?: string
  tag?: string
  limit?: string
  cursor?: string
}

export const usage: SubCommand<Options> = {
  name: 'usage',
  summary: 'Say what models cost, by day, model and loop, or call by call.',
  details:
    '~ marks a cost that is partly estimated, ≥ one that holds calls without a known price. --pass, --sandbox, --model, --limit and --cursor belong to --calls.',
  examples: [
    ['usage', 'the last seven days'],
    ['usage --days 30 --loop 7f3a --json', 'one loop, in whole nano-dollars and tokens'],
    ['usage --days 90 --csv > usage.csv', 'for a spreadsheet'],
    ['usage --by team,tag:env', 'told apart by what callers said of their calls'],
    ['usage --calls --loop 7f3a', "a loop's calls, the newest first"],
  ],
  options: (command: Command) =>
    command
      .option('--days <count>', 'how many days back; 7 unless said')
      .option('--loop <id>', 'only what a loop used')
      .option('--by <names>', 'sums also by team, user, key, end-user or tag:NAME, with commas')
      .option('--team <name>', 'only calls of this team')
      .option('--end-user <id>', 'only calls that were for this end user')
      .option('--tag <tag>', 'only calls with this tag, NAME=VALUE')
      .option('--csv', 'as comma-separated values')
      .option('--calls', 'a line a call')
      .option('--pass <number>', 'only calls of this pass')
      .option('--sandbox <id>', 'only calls from this sandbox')
      .option('--model <name>', 'only calls of this model')
      .option('--limit <count>', 'how many calls at most; 100 unless said')
      .option('--cursor <cursor>', 'go on where an earlier answer ended'),
  async run(context, _, options) {
    assertFitting(context, options)
    if (options.calls) await showCalls(context, options)
    else await showSums(context, options)
    return 0
  },
}

const ofCalls = ['pass', 'sandbox', 'model', 'limit', 'cursor'] as const

function assertFitting({ out }: Context, options: Options): void {
  if (options.csv && out.isJson)
    throw failure('cli/usage', 'Ask for --csv or --json, not for both.')
  if (options.calls && options.days !== undefined)
    throw failure('cli/usage', '--days is for sums. Of --calls the newest come first: --limit.')
  if (options.calls && options.by !== undefined)
    throw failure('cli/usage', '--by is for sums, not for --calls.')
  const stray = ofCalls.find((name) => options[name] !== undefined)
  if (!options.calls && stray) throw failure('cli/usage', `--${stray} wants --calls with it.`)
}

async function showSums({ connect, out }: Context, options: Options) {
  const { days = '7', loop, csv, by, team, endUser, tag } = options
  const client = await connect()
  const query = { days, loop, by, team, endUser, tag }
  const rows = await client.json<UsageRow[]>(pathOf('/api/usage', query))
  const asked = toAsked(by)
  const toText = (shown: readonly UsageRow[], look: Look) =>
    shown.length === 0 ? [empty] : toLines(shown, look, asked)
  out.show(rows, (shown, look) => (csv ? toCsv(shown, toCsvColumns(asked)) : toText(shown, look)))
}

type Asked = { title: string; of: (row: UsageRow) => string | null }

/** What `--by` tells apart, as columns. */
function toAsked(by: string | undefined): Asked[] {
  const known: Readonly<Record<string, Asked['of']>> = {
    team: ({ team }) => team,
    user: ({ user }) => user,
    key: ({ key }) => key,
    'end-user': ({ endUser }) => endUser,
  }
  return (by?.split(',') ?? []).map((title) => ({ title, of: known[title] ?? (({ tag }) => tag) }))
}

async function showCalls({ connect, out }: Context, options: Options) {
  const { loop, pass, sandbox, model, team, endUser, tag, limit = '100', cursor, csv } = options
  const client = await connect()
  const query = { loop, pass, sandbox, model, team, endUser, tag, limit, cursor }
  const page = await client.json<Page<Call>>(pathOf('/api/calls', query))
  if (!csv) return out.page(page, callColumns, empty)
  out.show(page, ({ items }) => toCsv(items, callCsvColumns))
  out.more(page)
}

const empty = 'Nothing used in this time. A loop calls models: treadle loop run loop.yaml'

function toLines(rows: readonly UsageRow[], look: Look, asked: readonly Asked[]): string[] {
  const nanoUsd = rows.reduce((sum, row) => sum + row.costNanoUsd, 0)
  const told = asked.map(({ title, of }): Column<UsageRow> => {
    return { title: title.toUpperCase(), of: (row) => of(row) ?? '-' }
  })
  return [
    ...toTable(rows, [...names, ...told, ...figures], look),
    '',
    `${toUsdText(nanoUsd)} in all`,
  ]
}

const toCostText = ({ costNanoUsd, unpricedCalls, estimatedCalls }: UsageRow) =>
  `${unpricedCalls > 0 ? '≥' : ''}${estimatedCalls > 0 ? '~' : ''}${toUsdText(costNanoUsd)}`

const names: Column<UsageRow>[] = [
  { title: 'DAY', of: ({ day }) => day },
  { title: 'PROVIDER', of: ({ provider }) => provider ?? '-' },
  { title: 'MODEL', of: ({ model, isRehearsal }) => model + (isRehearsal ? ' (rehearsal)' : '') },
  { title: 'LOOP', of: ({ loop }) => loop ?? '-' },
]
const figures: Column<UsageRow>[] = [
  { title: 'CALLS', of: ({ calls }) => String(calls), align: 'right' },
  { title: 'IN', of: (row) => toCountText(row.usage.inputTokens), align: 'right' },
  { title: 'CACHED', of: (row) => toCountText(row.usage.cachedTokens), align: 'right' },
  { title: 'OUT', of: (row) => toCountText(row.usage.outputTokens), align: 'right' },
  { title: 'COST', of: toCostText, align: 'right' },
]

const toCsvColumns = (asked: readonly Asked[]): CsvColumn<UsageRow>[] => [
  ...csvNames,
  ...asked.map(({ title, of }): CsvColumn<UsageRow> => [title.replace(/\W/g, '_'), of]),
  ...csvFigures,
]
const csvNames: CsvColumn<UsageRow>[] = [
  ['day', ({ day }) => day],
  ['provider', ({ provider }) => provider],
  ['model', ({ model }) => model],
  ['loop', ({ loop }) => loop],
]
const csvFigures: CsvColumn<UsageRow>[] = [
  ['rehearsal', ({ isRehearsal }) => String(isRehearsal)],
  ['calls', ({ calls }) => calls],
  ['input_tokens', (row) => row.usage.inputTokens],
  ['cached_tokens', (row) => row.usage.cachedTokens],
  ['cache_write_tokens', (row) => row.usage.cacheWriteTokens],
  ['output_tokens', (row) => row.usage.outputTokens],
  ['cost_usd', ({ costNanoUsd }) => toUsdNumber(costNanoUsd)],
  ['unpriced_calls', ({ unpricedCalls }) => unpricedCalls],
  ['estimated_calls', ({ estimatedCalls }) => estimatedCalls],
]
