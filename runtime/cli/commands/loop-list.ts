import { toUsdText } from '#kernel/units.ts'
import type { LoopPage, LoopSummary } from '../../spool/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import { toTimeText, toTokensText } from '../event-text.ts'
import type { Output } from '../output.ts'
import type { Column } from '../table.ts'

type Filters = {
  /** Of the loop; `--state` is the folder, in every command. */
  is?: string
  ending?: string
  agent?: string
  model?: string
  user?: string
  q?: string
}
type Options = PageOptions & Filters & { all?: boolean }

const pageMax = 200 // As much as the server gives at once.

export const loopList: SubCommand<Options> = {
  name: 'loop list',
  summary: 'List loops, the newest first.',
  details: 'A filter takes several values, with commas between them.',
  examples: [
    ['loop list', 'the last twenty'],
    ['loop list --is queued,running,paused', 'what is not over'],
    ['loop list --q shop --agent pi', 'by a part of the name or repository, and by agent'],
    ['loop list --all --json', 'every loop, for a program'],
  ],
  options: (command) =>
    withPage(command)
      .option('--is <states>', 'queued, running, paused, ended')
      .option('--ending <endings>', 'done, stuck, failed and so on')
      .option('--agent <agents>', 'the agent’s name, or command')
      .option('--model <models>', 'the model')
      .option('--user <users>', 'who submitted it')
      .option('--q <text>', 'a part of the name or repository, or how the id begins')
      .option('--all', 'every page'),
  async run({ connect, out }, _, { limit, cursor, all, ...filters }) {
    const client = await connect()
    const read = (at: { limit: string | number; cursor?: string | undefined }) =>
      client.json<LoopPage>(pathOf('/api/loops', { ...pick(filters), ...at }))
    const page = all ? await readAll(read) : await read({ limit, cursor })
    out.page(page, columns, 'No loop. Run one: treadle loop run loop.yaml')
    tellTotal(out, page)
    return 0
  },
}

/** What else stands among a command's options is not for the server. */
const pick = ({ is: state, ending, agent, model, user, q }: Filters) => ({
  ...(state !== undefined && { state }),
  ...(ending !== undefined && { ending }),
  ...(agent !== undefined && { agent }),
  ...(model !== undefined && { model }),
  ...(user !== undefined && { user }),
  ...(q !== undefined && { q }),
})

async function readAll(
  read: (at: { limit: number; cursor?: string }) => Promise<LoopPage>,
): Promise<LoopPage> {
  let page = await read({ limit: pageMax })
  const items = [...page.items]
  while (page.cursor !== null) {
    page = await read({ limit: pageMax, cursor: page.cursor })
    items.push(...page.items)
  }
  return { items, cursor: null, total: page.total }
}

function tellTotal(out: Output, { items, total }: LoopPage): void {
  if (items.length < total) out.note(`${items.length} of ${total}.`)
}

const columns: Column<LoopSummary>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  {
    title: 'STATE',
    of: ({ ending, state, isHeld }) =>
      ending ?? (isHeld && state === 'running' ? 'running, then paused' : state),
  },
  { title: 'PASSES', of: ({ passes }) => String(passes), align: 'right' },
  {
    title: 'TOKENS',
    of: ({ usage }) => toTokensText(usage).replace(' tokens', ''),
    align: 'right',
  },
  { title: 'COST', of: ({ costNanoUsd }) => toUsdText(costNanoUsd), align: 'right' },
  { title: 'MODEL', of: ({ model }) => model },
  { title: 'CREATED', of: ({ createdAt }) => toTimeText(createdAt) },
]
