// Two processes that carry calls on one port beside one: what a call costs in each, and whether a budget that they share holds.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BudgetUse } from '../proxy/api.ts'
import { toBudget } from './features.ts'
import { type Peer, toTreadlePeer } from './peers.ts'
import { best, type Verdict } from './proxy-report.ts'
import { type Rig, rigCore } from './proxy-rig.ts'
import { askPeer, measure } from './proxy-workloads.ts'
import { clientHeaders, toSmallBody } from './requests.ts'
import { runLoad } from './run-load.ts'
import { type Cell, median, toTable } from './table.ts'
import { readStats } from './upstream-stats.ts'
import type { Sample } from './workloads.ts'

const workers = 2
const connections = 32
const ratioMax = 1.15
const budgetRequests = 1_000
const budgetMsMax = 30_000 // Slices that nobody needs come back within 5 s.

export async function measureWorkers(rig: Rig): Promise<Verdict[]> {
  const { split, rounds, isQuick, say, folder } = rig
  const bodyFile = join(folder, 'workers')
  writeFileSync(bodyFile, toSmallBody())
  const peers = await rig.start(
    toTreadlePeer('1 worker', split),
    toTreadlePeer(`${workers} workers`, await split.startReplica(workers)),
  )
  const [seconds, requestsMax] = isQuick ? [0.3, 300] : [2, 4_000]
  const clients = 'connection' as const
  const asked = { bodyFile, connections, clients, seconds, requestsMax }
  const samples = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]))
  for (const peer of peers) await askPeer(rig, peer, asked)
  for (let round = 0; round < rounds; round += 1) {
    for (const [peer, list] of samples)
      list.push(await measure(peer, () => askPeer(rig, peer, asked)))
  }
  const rows = Array.from(samples, ([{ name }, list]): Cell[] => [
    name,
    best(list) * 1_000,
    median(list.map(({ cpuMs }) => cpuMs)) * 1_000,
    median(list.map(({ load }) => load.perSecond)),
  ])
  say(toTable(['1 KB, 32 connections, one core', 'CPU µs a call, best', 'median', 'calls/s'], rows))
  const [one, two] = peers.map((peer) => best(samples.get(peer)!))
  const wrong = await spendBudget(rig, peers[1]!, bodyFile)
  return [
    { what: `${workers} workers: CPU a call to one worker's`, figure: two! / one!, most: ratioMax },
    { what: `${workers} workers: calls over or below a shared budget`, figure: wrong, most: 0 },
  ]
}

/** Calls until the budget is used up. Answers by how many calls the upstream's count, the clients' or the ledger's is off. */
async function spendBudget({ split, place, say, folder }: Rig, peer: Peer, bodyFile: string) {
  const { owner, books } = split
  const { id, key } = split.clients.at(-1)! // Its budget in dollars stays beside the one in requests.
  const name = 'budgeted'
  const rest = { level: 'key', subject: id, unit: 'requests', window: 'total' } as const
  await owner.post('/api/budgets', toBudget(name, { ...rest, amount: budgetRequests }))
  await untilKnown()
  const keysFile = join(folder, 'budgeted')
  writeFileSync(keysFile, key)
  const before = (await readStats(place.upstream)).requests
  let answered = 0
  let use = await owner.get<BudgetUse>(`/api/budgets/${name}/use`)
  for (const end = Date.now() + budgetMsMax; Date.now() < end && use.used < budgetRequests; ) {
    const load = await runLoad(
      {
        ...{
          bodyFile,
          keysFile,
          connections,
          clients: 'call',
          seconds: 2,
          requestsMax: 2 * budgetRequests,
        },
        url: `${peer.url}/v1/messages`,
        headers: [...clientHeaders],
        errorsMax: 2 * budgetRequests,
      },
      rigCore,
    )
    answered += load.requests
    await sleep(1_000) // What was spent is told once a second.
    use = await owner.get<BudgetUse>(`/api/budgets/${name}/use`)
  }
  books.expect(answered)
  const asked = (await readStats(place.upstream)).requests - before
  say(
    `A budget of ${budgetRequests} requests: ${answered} answered, ${asked} at the upstream, ${use.used} booked.`,
  )
  return Math.max(...[answered, asked, use.used].map((count) => Math.abs(count - budgetRequests)))
}

const knownMs = 4_000 // Keys are read each second by all replicas, budgets as well.
const untilKnown = () => sleep(knownMs)
