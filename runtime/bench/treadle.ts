// Treadle as it is measured: all roles in one process as `npm start` runs it, or the proxy in a process of its own, with the
// other roles and the database in another one. Either way with all that features.ts sets.
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { MadeKey } from '../auth/api.ts'
import { prepareState } from '../start/state.ts'
import { startAppliance } from '../testing/appliance.ts'
import { type Books, openBooks } from './books.ts'
import { setUpFeatures } from './features.ts'
import { findFreePort } from './free-port.ts'
import { createOwner, type Owner } from './owner.ts'
import type { Place, Weight } from './peers.ts'
import { cpuMs, pin, readFirstLine, readTree, residentKb, startProgram } from './processes.ts'

export type Treadle = {
  proxyUrl: string
  pid: number
  clients: readonly MadeKey[]
  owner: Owner
  books: Books
  weigh(): Weight
  residentKb(): number
  /** What its sockets are counted in: the gateway's own processes. */
  pids(): number[]
  /** Resolves when nothing is left to ship; answers how busy it is then, in milliseconds a second. */
  settled(): Promise<Weight>
}

type Options = { place: Place; keys: number }

/** A client makes so many calls here that the breaker would take them for a tight loop: it counts, and lets them pass. */
const breaker = { keyCallsMax: 1_000_000_000 }

/** As `npm start` runs it, with its embedded PostgreSQL, on the gateway's core. */
export async function startWhole({ place, keys }: Options): Promise<Treadle> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-whole-'))
  place.owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'config.yaml')
  writeFileSync(config, JSON.stringify({ proxy: { breaker } }))
  const appliance = place.owned.use(await startAppliance(`--config=${config}`))
  const { pid, proxyUrl } = appliance
  pin(pid, place.core)
  const owner = createOwner(appliance.url, appliance.state)
  const weigh = () => {
    const main = cpuMs(pid, (_, of) => of === pid)
    return { main, beside: cpuMs(pid) - main }
  }
  const settled = () => untilQuiet(weigh)
  return {
    ...{ proxyUrl, pid, owner, weigh, settled },
    books: openBooks({ client: owner, settled }),
    clients: await setUpFeatures({ client: owner, place, keys }),
    residentKb: () => residentKb(pid, (of) => of === pid),
    pids: () => [pid],
  }
}

/** The proxy in a process of its own, which can be started anew, and further replicas of it beside one database. */
export type Split = Treadle & {
  /** Stops the proxy, and starts it again on what it left. */
  startFresh(): Promise<Treadle>
  startReplica(workers: number): Promise<Treadle>
}

const otherRoles = 'auth,weaver,spool,threads'

export async function startSplit({ place, keys }: Options, restCore: number): Promise<Split> {
  const { owned } = place
  const folder = mkdtempSync(join(tmpdir(), 'bench-split-'))
  chmodSync(folder, 0o711)
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const [port, ownPort, threadsPort] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ]
  const toUrl = (of: number) => `http://127.0.0.1:${of}`
  const restConfig = join(folder, 'rest.yaml')
  const peers = { proxy: toUrl(ownPort) }
  writeFileSync(restConfig, JSON.stringify({ peers, threads: { port: threadsPort } }))
  const rest = owned.use(
    await startAppliance(`--role=${otherRoles}`, `--port=${port}`, `--config=${restConfig}`),
  )
  pin(rest.pid, restCore)
  const sockets = join(prepareState(rest.state, process.getuid!()).run, 'pg')
  const start = (name: string, workers: number, port: number) => {
    const state = join(folder, name)
    prepareState(state, process.getuid!())
    cpSync(join(rest.state, 'keys'), join(state, 'keys'), { recursive: true })
    const config = join(folder, `${name}.yaml`)
    const proxy = { workers, ownPort: port, breaker }
    const peers = { auth: toUrl(Number(new URL(rest.url).port)), threads: toUrl(threadsPort) }
    writeFileSync(config, JSON.stringify({ peers, proxy }))
    const database = `postgres://postgres@${encodeURIComponent(sockets)}/postgres`
    const flags = ['--role=proxy', '--proxy-port=0', '--json', '--no-demo', `--state=${state}`]
    return startProxy([...flags, `--config=${config}`, `--database=${database}`], place)
  }
  const owner = createOwner(rest.url, rest.state)
  let proxy = await start('proxy', 1, ownPort)
  owned.defer(() => proxy[Symbol.asyncDispose]())
  const clients = await setUpFeatures({ client: owner, place, keys })
  // All replicas ship their ledgers into one table.
  const books = openBooks({ client: owner, settled: () => toTreadle(proxy).settled() })
  const toTreadle = ({ pid, url: proxyUrl }: Proxy): Treadle => {
    const weigh = () => ({ main: cpuMs(pid), beside: cpuMs(rest.pid) })
    const settled = () => untilQuiet(weigh)
    return {
      ...{ proxyUrl, pid, owner, weigh, settled, books, clients },
      residentKb: () => residentKb(pid),
      pids: () => [...readTree(pid).keys()],
    }
  }
  const split: Split = {
    ...toTreadle(proxy),
    async startFresh() {
      await proxy[Symbol.asyncDispose]()
      proxy = await start('proxy', 1, ownPort)
      return Object.assign(split, toTreadle(proxy))
    },
    async startReplica(workers) {
      return toTreadle(owned.use(await start(`replica-${workers}`, workers, 0)))
    },
  }
  return split
}

type Proxy = AsyncDisposable & { pid: number; url: string }

const entry = fileURLToPath(new URL('../main.ts', import.meta.url))

async function startProxy(flags: string[], { core }: Place): Promise<Proxy> {
  const argv = [process.execPath, '--disable-warning=DEP0060', entry, ...flags]
  const program = startProgram(argv, { core })
  const { proxyUrl } = JSON.parse(await readFirstLine(program)) as { proxyUrl: string }
  return {
    pid: program.pid,
    url: proxyUrl,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

const quietMs = 1_000
const quietWindows = 2
const quietBusyMax = 0.05 // Its polls and timers, with a thousand keys and budgets, take less.
const quietMsMax = 120_000

/** Waits until what earlier calls left behind is done. */
async function untilQuiet(weigh: () => Weight): Promise<Weight> {
  const seen: Weight[] = []
  let last = weigh()
  for (const end = Date.now() + quietMsMax; Date.now() < end; ) {
    await sleep(quietMs)
    const now = weigh()
    const used = { main: now.main - last.main, beside: now.beside - last.beside }
    last = now
    if (used.main + used.beside > quietBusyMax * quietMs) seen.length = 0
    else seen.push(used)
    if (seen.length === quietWindows) break
  }
  const meanOf = (part: keyof Weight) =>
    seen.reduce((sum, used) => sum + used[part], 0) / Math.max(1, seen.length)
  return { main: meanOf('main'), beside: meanOf('beside') }
}
