// CPU of one call by its size and shape: rounds taken in turn, so that noise of the machine meets all gateways alike.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Peer } from './peers.ts'
import { tellWorkloads, toWorkloadVerdicts, type Verdict } from './proxy-report.ts'
import { type Rig, rigCore } from './proxy-rig.ts'
import { clientHeaders, plainModel, tlsModel } from './requests.ts'
import { type LoadOptions, type LoadResult, runLoad } from './run-load.ts'
import {
  type Sample,
  type Samples,
  type WorkloadName,
  workloadNames,
  workloads,
} from './workloads.ts'

export async function measureWorkloads(
  rig: Rig,
  peers: readonly Peer[],
  over: 'plain' | 'tls',
): Promise<Verdict[]> {
  const { rounds, isQuick, say, folder } = rig
  const model = over === 'tls' ? tlsModel : plainModel
  const fileOf = (name: WorkloadName) => join(folder, `${over}-${workloadNames.indexOf(name)}`)
  for (const name of workloadNames) writeFileSync(fileOf(name), workloads[name].toBody(model))
  const ask = (peer: Peer, name: WorkloadName) =>
    askPeer(rig, peer, {
      bodyFile: fileOf(name),
      connections: workloads[name].connections,
      clients: workloads[name].clients,
      seconds: isQuick ? 0.3 : 2,
      requestsMax: isQuick ? 300 : workloads[name].requestsMax,
    })
  for (const peer of peers) for (const name of workloadNames) await ask(peer, name) // Compiled, connected, cached.
  const samples: Samples = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const name of workloadNames) {
      for (const peer of peers)
        keep(samples, peer, name, await measure(peer, () => ask(peer, name)))
      say(`round ${round + 1} of ${rounds}: ${name}`)
    }
  }
  tellWorkloads(samples, say)
  return toWorkloadVerdicts(samples, over)
}

type Ask = Pick<LoadOptions, 'bodyFile' | 'connections' | 'clients' | 'seconds' | 'requestsMax'>

/** Calls of Treadle are told to its books; one that failed makes them wrong. */
export async function askPeer(rig: Rig, peer: Peer, asked: Ask): Promise<LoadResult> {
  const { url, headers, treadle } = peer
  const load = await runLoad(
    {
      ...asked,
      url: `${url}/v1/messages`,
      headers: [...clientHeaders, ...headers],
      keysFile: rig.keysFile(peer),
      errorsMax: 200,
    },
    rigCore,
  )
  treadle?.books.expect(load.requests)
  return load
}

function keep(samples: Samples, { name: peer }: Peer, name: WorkloadName, sample: Sample): void {
  const ofPeer = samples.get(peer) ?? new Map<WorkloadName, Sample[]>()
  samples.set(peer, ofPeer.set(name, [...(ofPeer.get(name) ?? []), sample]))
}

export async function measure(peer: Peer, ask: () => Promise<LoadResult>): Promise<Sample> {
  const { weigh, treadle } = peer
  if (!weigh) {
    const load = await ask()
    return { load, cpuMs: Number.NaN, besideCpuMs: 0, settled: null, memoryMb: Number.NaN }
  }
  const idle = await treadle?.settled()
  const before = weigh()
  const startedAt = performance.now()
  const load = await ask()
  const after = weigh()
  const sample = {
    load,
    cpuMs: (after.main - before.main) / load.requests,
    besideCpuMs: (after.beside - before.beside) / load.requests,
    memoryMb: peer.memoryMb(),
  }
  if (!idle || !treadle) return { ...sample, settled: null }
  await treadle.settled()
  const end = weigh()
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
