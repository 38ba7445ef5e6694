// How long until a sandbox runs its first command, cold and warm, beside the same walls around a
// bare Node. Run: node runtime/weaver/bench.ts [bubblewrap|unshare]
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { applyCgroups, planCgroups, removeCgroups } from './backend/cgroups.ts'
import { findHost, type Walls } from './backend/host.ts'
import { toPlace } from './backend/place.ts'
import { planStart } from './backend/plan.ts'
import { makeFolders, removeFolder } from './folders.ts'
import { startTestWeaver, type TestWeaver } from './testing.ts'

const runs = 20

/** The same argv with `node -e 0` in the daemon's place, from its folders to its end. */
async function bareNode(weaver: TestWeaver, walls: Walls): Promise<number> {
  const { config } = weaver
  const host = await findHost({ backend: walls, cgroups: 'auto' })
  const id = 'ba5e'
  const place = toPlace(config, {
    id,
    uid: config.uidBase + 999_999,
    cgroups: planCgroups(host.cgroups, id),
  })
  const etcFolder = join(config.sandboxFolder, 'etc')
  const script = readFileSync(new URL('./backend/unshare.sh', import.meta.url), 'utf8')
  const facts = { host, place, backend: walls, limits: config, script, hasFilter: false } as const
  const { argv, env } = planStart({
    ...{ ...facts, etcFolder, codeCacheFolder: join(config.sandboxFolder, 'code-cache') },
    ...{ readableFolder: config.readableFolder, purpose: 'serve' },
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

async function createAndRun(
  weaver: TestWeaver,
  isWarm: boolean,
): Promise<{ create: number; run: number }> {
  const startedAt = performance.now()
  const sandbox = await weaver.create()
  const create = performance.now() - startedAt
  await weaver.exec(sandbox.id, 'true')
  const run = performance.now() - startedAt
  if (sandbox.wasWarm !== isWarm)
    throw new Error(`expected ${isWarm ? 'a warm' : 'a cold'} sandbox`)
  await weaver.remove(sandbox.id)
  return { create, run }
}

async function waitForWarm({ postgres }: TestWeaver): Promise<void> {
  const look = () => postgres.query("select from weaver.sandboxes where state = 'warm'")
  while ((await look()).length < 1) await sleep(50)
  await sleep(300) // The refill must not share the measured moment.
}

function tell(name: string, times: number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(0)
  process.stdout.write(
    `${name.padEnd(34)} p50 ${at(0.5).padStart(4)} ms   p99 ${at(0.99).padStart(4)} ms\n`,
  )
}

async function compare(walls: Walls): Promise<void> {
  const bare: number[] = []
  const cold: { create: number; run: number }[] = []
  const warm: { create: number; run: number }[] = []
  {
    await using weaver = await startTestWeaver({ config: { backend: walls, watchMs: 1_000 } })
    await sleep(3_000) // The warm-up must not share the measured moment.
    for (let run = 0; run < runs; run += 1) {
      bare.push(await bareNode(weaver, walls))
      cold.push(await createAndRun(weaver, false))
    }
  }
  {
    await using weaver = await startTestWeaver({
      config: { backend: walls, warmMax: 1, watchMs: 1_000 },
    })
    await createAndRun(weaver, false)
    for (let run = 0; run < runs; run += 1) {
      await waitForWarm(weaver)
      warm.push(await createAndRun(weaver, true))
    }
  }
  tell(`${walls}: bare Node in the walls`, bare)
  tell(
    `${walls}: cold, to ready`,
    cold.map(({ create }) => create),
  )
  tell(
    `${walls}: cold, to first command`,
    cold.map(({ run }) => run),
  )
  tell(
    `${walls}: warm, to ready`,
    warm.map(({ create }) => create),
  )
  tell(
    `${walls}: warm, to first command`,
    warm.map(({ run }) => run),
  )
}

if (import.meta.main) {
  for (const walls of ['bubblewrap', 'unshare'] as const) {
    if (!process.argv[2] || process.argv[2] === walls) await compare(walls)
  }
}
