import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { toUsdText } from '#kernel/units.ts'
import type { UsageRow } from '../../proxy/api.ts'
import type { Client } from '../client.ts'
import { pathOf, type SubCommand } from '../command.ts'
import { failure } from '../errors.ts'
import { toCountText } from '../event-text.ts'
import type { Look } from '../output.ts'
import { type Compared, type Comparison, compare } from '../reconcile/compare.ts'
import { type InvoiceRow, parseInvoice } from '../reconcile/invoice.ts'
import { type Column, toTable } from '../table.ts'

type Options = { tolerance?: string; provider?: string; all?: boolean }

const daysMax = 400 // As many as the ledger answers for.
const rowsMax = 5_000 // Of one day; the server cuts what is over it.
const dayMs = 86_400_000

export const usageReconcile: SubCommand<Options> = {
  name: 'usage reconcile',
  args: '<file>',
  summary: "Compare the ledger with a vendor's invoice export, by day and model.",
  details:
    "Takes the CSV exports of usage and of cost that Anthropic and OpenAI offer, by their columns' titles, or lines of JSON {day, model, input, cached, cacheWrite, output, usd}. Figures are the ledger's less the invoice's; under half a cent is equal. Ends with 0 when all is equal, else with 1.",
  examples: [
    ['usage reconcile invoice.csv --provider claude', 'only what went to this provider'],
    ['usage reconcile invoice.csv --tolerance 0.5', 'half a percent may be missing'],
    ['usage reconcile lines.jsonl --json', 'every day and model, for a program'],
  ],
  options: (command: Command) =>
    command
      .option('--tolerance <percent>', 'how far a figure may be off', '0')
      .option('--provider <name>', 'only calls that this provider answered')
      .option('--all', 'also the lines that are equal'),
  async run({ connect, out }, [file], { tolerance = '0', provider, all }) {
    const share = toShare(tolerance)
    const invoice = parseInvoice(readFile(file!), file!)
    const client = await connect()
    const usage = await readUsage(client, toDays(invoice))
    const own = provider === undefined ? usage : usage.filter((row) => row.provider === provider)
    const compared = compare(own, invoice, share)
    out.show(compared, (shown, look) => toLines(shown, look, all === true))
    return compared.isEqual ? 0 : 1
  },
}

function toShare(text: string): number {
  const percent = Number(text)
  if (text.trim() !== '' && percent >= 0 && percent <= 100) return percent / 100
  throw failure('cli/usage', `--tolerance ${text} is no percentage. Write a number from 0 to 100.`)
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw failure('cli/file', `${path} can't be read: ${(cause as Error).message}`, { cause })
  }
}

/** From the first to the last of the invoice, those between that it leaves out as well. */
function toDays(invoice: readonly InvoiceRow[]): string[] {
  const days = invoice.map(({ day }) => day).toSorted()
  const [from, to] = [Date.parse(days[0]!), Date.parse(days.at(-1)!)]
  const count = (to - from) / dayMs + 1
  if (!(count <= daysMax))
    throw failure('cli/usage', `The file spans ${count} days. Compare ${daysMax} at most.`)
  return Array.from({ length: count }, (_, at) =>
    new Date(from + at * dayMs).toISOString().slice(0, 10),
  )
}

/** A day at a time, so that no answer is cut. */
async function readUsage(client: Client, days: readonly string[]): Promise<UsageRow[]> {
  const found: UsageRow[] = []
  for (const day of days) {
    const rows = await client.json<UsageRow[]>(pathOf('/api/usage', { from: day, to: day }))
    if (rows.length >= rowsMax)
      throw failure('cli/answer', `${day} has more than ${rowsMax} rows, so its sum is not known.`)
    found.push(...rows)
  }
  return found
}

function toLines({ rows, total, isEqual }: Comparison, look: Look, isAll: boolean): string[] {
  const shown = isAll ? rows : rows.filter((row) => !row.isEqual)
  const table = shown.length === 0 ? [] : [...toTable(shown, columns, look), '']
  const wrong = rows.filter((row) => !row.isEqual).length
  const verdict = isEqual
    ? `All ${rows.length} days and models are equal.`
    : `${wrong} of ${rows.length} days and models differ.`
  return [...table, verdict, toSum('ledger', total.ledger), toSum('invoice', total.invoice)]
}

function toSum(name: string, { input, output, nanoUsd }: Compared['ledger']): string {
  const tokens = input === null ? '' : `${input} tokens in, ${output ?? 0} out`
  const money = nanoUsd === null ? '' : toUsdText(nanoUsd)
  return `${name.padEnd(7)}  ${[tokens, money].filter((part) => part !== '').join(', ')}`
}

const signed = (value: number | null, toText: (size: number) => string) =>
  value === null ? '-' : value === 0 ? '=' : `${value > 0 ? '+' : '-'}${toText(Math.abs(value))}`

const columns: Column<Compared>[] = [
  { title: 'DAY', of: ({ day }) => day },
  { title: 'MODEL', of: ({ model }) => model },
  { title: 'IN', of: (row) => signed(row.difference.input, toCountText), align: 'right' },
  { title: 'CACHED', of: (row) => signed(row.difference.cached, toCountText), align: 'right' },
  { title: 'WRITTEN', of: (row) => signed(row.difference.cacheWrite, toCountText), align: 'right' },
  { title: 'OUT', of: (row) => signed(row.difference.output, toCountText), align: 'right' },
  { title: 'USD', of: (row) => signed(row.difference.nanoUsd, toUsdText), align: 'right' },
  { title: 'LEDGER', of: ({ ledger }) => toUsdText(ledger.nanoUsd ?? 0), align: 'right' },
  { title: 'ESTIMATED', of: (row) => String(row.estimatedCalls), align: 'right' },
  { title: 'UNPRICED', of: (row) => String(row.unpricedCalls), align: 'right' },
]
