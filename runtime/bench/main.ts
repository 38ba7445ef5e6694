// Measures Treadle side by side with others: `npm run bench -- [proxy] [sandbox] [loops] [console] [--rounds N]
// [--rows A,B] [--soak-minutes N] [--loops N] [--quick]`.
// Exit codes: 0 measured, 1 failed, 2 bad usage. It takes minutes and both cores; no test runs it.
import { cpus, loadavg, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { benchConsole } from './console.ts'
import { benchLoops } from './loops.ts'
import { benchProxy, type RowName, rowNames } from './proxy.ts'
import { benchSandbox } from './sandbox.ts'

export type BenchOptions = {
  rounds: number
  isQuick: boolean
  /** Of the part `proxy`. */
  rows: readonly RowName[]
  /** Of its row `soak`. */
  soakMinutes: number
  /** Of the part `loops`. */
  loops: number
  say: (text: string) => void
}

const parts = {
  proxy: benchProxy,
  sandbox: benchSandbox,
  loops: benchLoops,
  console: benchConsole,
} as const
type Part = keyof typeof parts

const usage = `Usage: npm run bench -- [proxy] [sandbox] [loops] [console] [--rounds N]
       [--rows A,B] [--soak-minutes N] [--loops N] [--quick]
  proxy    CPU of one model call, delay, memory and sockets, beside nginx, floors in JavaScript, and Portkey
  sandbox  from its creation to its first command, beside the same walls around a bare Node
  loops    200 loops of three passes: speed, CPU, and whether memory and disk stay flat
  console  first load, time to a page's data, and scrolling of 10,000 loops, in Chromium
  --rounds N  more rounds, steadier figures (3; of the loops there is one)
  --rows A,B  of proxy: ${rowNames.join(', ')} (all)
  --soak-minutes N  of proxy's row soak (1; 10 say whether memory grows)
  --loops N   fewer or more of them (200, looked at four times)
  --quick     little of everything: shows that it runs, not how fast
`
const roundsMax = 50
const loopsMax = 10_000
const soakMinutesMax = 600
const quickLoops = 6

const say = (text: string) => void process.stdout.write(`${text}\n`)

const isCount = (value: number, most: number) =>
  Number.isInteger(value) && value >= 1 && value <= most

function parseOptions(): { chosen: Part[]; options: BenchOptions } | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '3' },
        rows: { type: 'string', default: rowNames.join(',') },
        'soak-minutes': { type: 'string', default: '1' },
        loops: { type: 'string', default: '200' },
        quick: { type: 'boolean', default: false },
      },
    })
    const rounds = Number(values.rounds)
    const loops = Number(values.loops)
    const soakMinutes = Number(values['soak-minutes'])
    const rows = values.rows.split(',') as RowName[]
    const isRight =
      isCount(rounds, roundsMax) &&
      isCount(loops, loopsMax) &&
      isCount(soakMinutes, soakMinutesMax) &&
      rows.every((name) => rowNames.includes(name))
    if (!isRight || !positionals.every((name) => name in parts)) return null
    const chosen = (positionals.length > 0 ? positionals : Object.keys(parts)) as Part[]
    const { quick: isQuick } = values
    const small = isQuick && { rounds: 1, loops: quickLoops }
    const options = { rounds, rows, soakMinutes, loops, isQuick, say, ...small }
    return { chosen, options }
  } catch {
    return null // An option that there is not: the usage says which there are.
  }
}

const toLoad = () =>
  loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')

const parsed = parseOptions()
if (parsed) {
  const { chosen, options } = parsed
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  say(`${new Date().toISOString().slice(0, 16)}Z, Node ${process.version}, Linux ${release()}`)
  say(`${cpus().length} x ${cpus()[0]?.model.trim()}, ${gibibytes} GiB`)
  for (const name of chosen) {
    say(`\n# ${name}, load average ${toLoad()}\n`)
    await parts[name](options)
    say(`load average ${toLoad()} after ${name}`)
  }
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}
