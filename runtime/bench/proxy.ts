// CPU of one model call through each gateway: the same calls, the same upstream, rounds taken in turn.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchOptions } from './main.ts'
import {
  type Peer,
  startFloor,
  startNginx,
  startPortkey,
  startTreadle,
  toDirect,
  untilAnswers,
} from './peers.ts'
import { cpuMs, memoryMb } from './processes.ts'
import { tellProxy } from './proxy-report.ts'
import { clientHeaders, toSessionBody, toSmallBody } from './requests.ts'
import { type LoadResult, runLoad } from './run-load.ts'

const gatewayCore = 0
const rigCore = 1 // The upstream and the load share the other one.
const largeBytes = 256 * 1_024

export const workloads = {
  '1 KB, 1 connection': { connections: 1, body: toSmallBody(false) },
  '1 KB, 32 connections': { connections: 32, body: toSmallBody(false) },
  '256 KB request, 8 connections': { connections: 8, body: toSessionBody(largeBytes) },
  'stream of 200 events, 32 connections': { connections: 32, body: toSmallBody(true) },
} as const
export type WorkloadName = keyof typeof workloads

export type Sample = {
  load: LoadResult
  /** Of the gateway while the load ran, a call. Treadle: its own process, which holds every role. */
  cpuMs: number
  /** Of everything else below it, a call: Treadle's PostgreSQL. */
  besideCpuMs: number
  /** Treadle's own process and what is below it until it is quiet again, a call: null where nothing is left to do. */
  settled: { cpuMs: number; besideCpuMs: number; seconds: number } | null
  memoryMb: number
}
export type Samples = Map<string, Map<WorkloadName, Sample[]>>

export async function benchProxy({ rounds, isQuick, say }: BenchOptions): Promise<void> {
  await using owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'))
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const names = Object.keys(workloads) as WorkloadName[]
  const files = new Map(names.map((name, index) => [name, join(folder, `${index}.json`)]))
  for (const [name, file] of files) writeFileSync(file, workloads[name].body)
  const { url: upstream } = await startFloor('mock-upstream', '', owned, rigCore)
  const peers = await startPeers(upstream, owned, say)
  const seconds = isQuick ? 0.3 : 2
  const requestsMax = isQuick ? 300 : 4_000
  const ask = ({ url, headers }: Peer, name: WorkloadName, requests = requestsMax) =>
    runLoad(
      {
        url: `${url}/v1/messages`,
        headers: [...clientHeaders, ...headers],
        bodyFile: files.get(name)!,
        connections: workloads[name].connections,
        seconds,
        requestsMax: requests,
      },
      rigCore,
    )
  for (const peer of peers) for (const name of names) await ask(peer, name) // Compiled, connected, cached.
  const samples: Samples = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      for (const peer of peers) {
        const sample = await measure(peer, () => ask(peer, name))
        keep(samples, peer, name, sample)
      }
      say(`round ${round + 1} of ${rounds}: ${name}`)
    }
  }
  tellProxy(samples, say)
}

async function startPeers(upstream: string, owned: AsyncDisposableStack, say: BenchOptions['say']) {
  const place = [upstream, owned, gatewayCore] as const
  const found = [
    toDirect(upstream),
    await startNginx(...place),
    await startFloor('floor-http', ...place),
    await startFloor('floor-undici', ...place),
    await startFloor('floor-lane', ...place),
    await startPortkey(...place),
    await startTreadle(...place),
  ]
  const peers: Peer[] = []
  for (const peer of found) {
    if ('missing' in peer) say(`left out: ${peer.missing}`)
    else peers.push(peer)
  }
  for (const peer of peers) await untilAnswers(peer)
  return peers
}

function keep(samples: Samples, { name: peer }: Peer, name: WorkloadName, sample: Sample): void {
  const ofPeer = samples.get(peer) ?? new Map<WorkloadName, Sample[]>()
  samples.set(peer, ofPeer.set(name, [...(ofPeer.get(name) ?? []), sample]))
}

async function measure(peer: Peer, ask: () => Promise<LoadResult>): Promise<Sample> {
  if (peer.pid === null) {
    return {
      load: await ask(),
      cpuMs: Number.NaN,
      besideCpuMs: 0,
      settled: null,
      memoryMb: Number.NaN,
    }
  }
  const { pid, isTreadle } = peer
  const idle = isTreadle ? await untilQuiet(pid) : null
  const before = weigh(peer, pid)
  const startedAt = performance.now()
  const load = await ask()
  const after = weigh(peer, pid)
  const memory = memoryMb(pid)
  const sample = {
    load,
    cpuMs: (after.main - before.main) / load.requests,
    besideCpuMs: (after.beside - before.beside) / load.requests,
    memoryMb: memory,
  }
  if (!idle) return { ...sample, settled: null }
  await untilQuiet(pid)
  const end = weigh(peer, pid)
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    ...sample,
    settled: {
      seconds,
      cpuMs: (end.main - before.main - idle.main * seconds) / load.requests,
      besideCpuMs: (end.beside - before.beside - idle.beside * seconds) / load.requests,
    },
  }
}

/** Of Treadle the first process alone is the gateway; of every other peer the whole tree is. */
function weigh({ isTreadle }: Pick<Peer, 'isTreadle'>, pid: number) {
  const all = cpuMs(pid)
  const main = isTreadle ? cpuMs(pid, (_, of) => of === pid) : all
  return { main, beside: all - main }
}

const quietMs = 1_000
const quietWindows = 2
const quietBusyMax = 0.04 // Its polls and timers take about one hundredth of a core.
const quietMsMax = 90_000

/** Waits until what earlier calls left behind is done. Answers how busy it is then, in milliseconds a second. */
async function untilQuiet(pid: number) {
  const seen: { main: number; beside: number }[] = []
  let last = weigh({ isTreadle: true }, pid)
  for (const end = Date.now() + quietMsMax; Date.now() < end; ) {
    await sleep(quietMs)
    const now = weigh({ isTreadle: true }, pid)
    const used = { main: now.main - last.main, beside: now.beside - last.beside }
    last = now
    if (used.main + used.beside > quietBusyMax * quietMs) seen.length = 0
    else seen.push(used)
    if (seen.length === quietWindows) break
  }
  const meanOf = (part: 'main' | 'beside') =>
    seen.reduce((sum, used) => sum + used[part], 0) / Math.max(1, seen.length)
  return { main: meanOf('main'), beside: meanOf('beside') }
}
