// How long until a new sandbox has run its first command, cold and warm, beside the same walls around a bare Node.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { applyCgroups, planCgroups, removeCgroups } from '../weaver/backend/cgroups.ts'
import { findHost, type Walls } from '../weaver/backend/host.ts'
import { toPlace } from '../weaver/backend/place.ts'
import { planStart } from '../weaver/backend/plan.ts'
import { makeFolders, removeFolder } from '../weaver/folders.ts'
import { startTestWeaver, type TestWeaver } from '../weaver/testing.ts'
import type { BenchOptions } from './main.ts'
import { quantile, toRatio, toTable } from './table.ts'

const runsPerRound = 20
const quickRuns = 3
const warmUpMs = 3_000 // The role compiles the daemon's code once after its start.
const restMs = 300 // What the last run left behind must not share the measured moment.
const coldRatioMax = 1.5
const warmMsMax = 50

export async function benchSandbox({ rounds, isQuick, say }: BenchOptions): Promise<void> {
  const runs = isQuick ? quickRuns : runsPerRound * rounds
  for (const walls of ['bubblewrap', 'unshare'] as const) {
    const missing = await findHost({ backend: walls, cgroups: 'auto' }).then(
      () => null,
      (error: Error) => error.message,
    )
    if (missing) say(`left out: ${walls}: ${missing}`)
    else tell(walls, await measureAll(walls, runs), say)
  }
}

type Times = Record<'bare' | 'coldReady' | 'cold' | 'warmReady' | 'warm', number[]>

async function measureAll(walls: Walls, runs: number): Promise<Times> {
  const times: Times = { bare: [], coldReady: [], cold: [], warmReady: [], warm: [] }
  {
    await using weaver = await startTestWeaver({ config: { backend: walls, watchMs: 1_000 } })
    await sleep(warmUpMs)
    for (let run = 0; run < runs; run += 1) {
      times.bare.push(await runBareNode(weaver, walls))
      const { readyMs, ranMs } = await createAndRun(weaver, 'cold')
      times.coldReady.push(readyMs)
      times.cold.push(ranMs)
    }
  }
  await using weaver = await startTestWeaver({
    config: { backend: walls, warmMax: 1, watchMs: 1_000 },
  })
  await createAndRun(weaver, 'cold') // The first use fills the pool.
  for (let run = 0; run < runs; run += 1) {
    await untilWarm(weaver)
    const { readyMs, ranMs } = await createAndRun(weaver, 'warm')
    times.warmReady.push(readyMs)
    times.warm.push(ranMs)
  }
  return times
}

/** The same folders, limits, walls and flags, with `node -e 0` in the daemon's place, to its end. */
async function runBareNode({ config }: TestWeaver, walls: Walls): Promise<number> {
  const host = await findHost({ backend: walls, cgroups: 'auto' })
  const id = 'ba5e'
  const uid = host.isRoot ? config.uidBase + 999_999 : null
  const place = toPlace(config, { id, uid, cgroups: planCgroups(host.cgroups, id) })
  const { argv, env } = planStart({
    ...{ host, place, backend: walls, limits: config, hasFilter: false, isLinked: false },
    purpose: 'serve',
    etcFolder: join(config.sandboxFolder, 'etc'),
    codeCacheFolder: join(config.sandboxFolder, 'code-cache'),
    readableFolder: config.readableFolder,
    script: readFileSync(new URL('../weaver/backend/unshare.sh', import.meta.url), 'utf8'),
  })
  const daemonAt = argv.findIndex((word) => word.endsWith('pod/main.ts'))
  const bare = [...argv.slice(0, daemonAt), '-e', '0']
  const startedAt = performance.now()
  makeFolders(place)
  if (host.cgroups) applyCgroups(host.cgroups.version, place.cgroups, config)
  execFileSync(bare[0]!, bare.slice(1), { env, cwd: '/' })
  const ms = performance.now() - startedAt
  await removeCgroups(place.cgroups)
  await removeFolder(place.folder)
  await removeFolder(place.runFolder)
  return ms
}

/** Over the role's own routes, as spool asks. */
async function createAndRun(weaver: TestWeaver, expected: 'cold' | 'warm') {
  const startedAt = performance.now()
  const { id, wasWarm } = await weaver.create()
  const readyMs = performance.now() - startedAt
  await weaver.exec(id, 'true')
  const ranMs = performance.now() - startedAt
  if (wasWarm !== (expected === 'warm')) throw new Error(`The sandbox was not ${expected}.`)
  await weaver.remove(id)
  return { readyMs, ranMs }
}

async function untilWarm({ postgres }: TestWeaver): Promise<void> {
  const look = () => postgres.query("select from weaver.sandboxes where state = 'warm'")
  while ((await look()).length < 1) await sleep(50)
  await sleep(restMs)
}

const rows: readonly [keyof Times, string][] = [
  ['bare', 'bare Node in the walls, to its end'],
  ['coldReady', 'cold, to ready'],
  ['cold', 'cold, to its first command'],
  ['warmReady', 'warm, to ready'],
  ['warm', 'warm, to its first command'],
]

function tell(walls: Walls, times: Times, say: BenchOptions['say']): void {
  const at = (name: keyof Times, share: number) => quantile(times[name], share)
  const floor = at('bare', 0.5)
  say(
    toTable(
      [walls, 'p50 ms', 'p99 ms', 'p50 to bare', 'p99 to bare', 'runs'],
      rows.map(([name, title]) => [
        title,
        at(name, 0.5),
        at(name, 0.99),
        toRatio(at(name, 0.5), floor),
        toRatio(at(name, 0.99), at('bare', 0.99)),
        String(times[name].length),
      ]),
    ),
  )
  const ratio = at('cold', 0.5) / floor
  say(
    [
      `Target cold, at most ${coldRatioMax}x: ${ratio <= coldRatioMax ? 'held' : 'missed'}, ${ratio.toFixed(2)}x.`,
      `Target warm, below ${warmMsMax} ms: p50 ${at('warm', 0.5).toFixed(0)} ms, p99 ${at('warm', 0.99).toFixed(0)} ms.\n`,
    ].join(' '),
  )
}
