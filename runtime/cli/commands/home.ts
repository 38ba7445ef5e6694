import type { Status } from '../../auth/api.ts'
import type { LoopPage, LoopSummary } from '../../spool/api.ts'
import { type Context, pathOf, type SubCommand } from '../command.ts'
import { Failure } from '../errors.ts'
import type { Look } from '../output.ts'
import { toSign } from '../signs.ts'
import { toTable } from '../table.ts'

export const home: SubCommand = {
  name: 'home',
  summary: 'Say what runs, and what one may do next.',
  details: 'What treadle without a command shows. Exits 0, also when nothing runs.',
  examples: [['home', 'the same as treadle alone']],
  async run(context) {
    const found = await findHome(context)
    context.out.show(found, toLines)
    return 0
  },
}

type Home = {
  instance: { version: string; url: string } | null
  why: string | null
  /** Not ended yet, the newest first. */
  going: readonly LoopSummary[]
  counts: { going: number; all: number }
}

const shownMax = 5 // A first look; `loop list` has the rest.

async function findHome({ connect }: Context): Promise<Home> {
  try {
    const client = await connect()
    const page = (query: Record<string, string | number>) =>
      client.json<LoopPage>(pathOf('/api/loops', query))
    const [instance, going, all] = await Promise.all([
      client.json<Status>('/api/status'),
      page({ state: 'queued,running,paused', limit: shownMax }),
      page({ limit: 1 }),
    ])
    const { version, url } = instance
    const counts = { going: going.total, all: all.total }
    return { instance: { version, url }, why: null, going: going.items, counts }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { instance: null, why: error.message, going: [], counts: { going: 0, all: 0 } }
  }
}

function toLines({ instance, why, going, counts }: Home, look: Look): string[] {
  const { bold } = look.colours
  if (instance === null)
    return [why!, '', ...toNext([['doctor', 'what this machine has'], everything])]
  const ended = counts.all - counts.going
  return [
    `${bold(`Treadle ${instance.version}`)} at ${instance.url}`,
    `${counts.going} at work, ${ended} ended`,
    ...(going.length === 0 ? [] : ['', ...toTable(going, columns, look)]),
    '',
    ...toNext(counts.all === 0 ? firstSteps : nextSteps),
  ]
}

const columns = [
  { title: 'ID', of: ({ id }: LoopSummary) => id },
  { title: 'STATE', of: (loop: LoopSummary) => toSign(loop).word },
  { title: 'NAME', of: ({ name }: LoopSummary) => name },
  { title: 'PASSES', of: ({ passes }: LoopSummary) => String(passes) },
]

type Step = readonly [command: string, meaning: string]
const everything: Step = ['--help', 'every command']
const firstSteps: readonly Step[] = [
  ['provider add --help', 'how to store the key of a model provider'],
  ['loop new', 'write a loop file, by questions'],
  everything,
]
const nextSteps: readonly Step[] = [
  ['loop watch', 'see loops work, live'],
  ['loop list', 'what ran, and how it ended'],
  ['loop new', 'write a loop file, by questions'],
  ['login-link', 'open it in a browser'],
  everything,
]

function toNext(steps: readonly Step[]): string[] {
  const width = Math.max(...steps.map(([command]) => command.length))
  return steps.map(([command, meaning]) => `  treadle ${command.padEnd(width)}  ${meaning}`)
}
