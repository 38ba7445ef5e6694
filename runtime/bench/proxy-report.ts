import type { BenchOptions } from './main.ts'
import { type Cell, median, toRatio, toTable, toText } from './table.ts'
import { type Sample, type Samples, type WorkloadName, workloads } from './workloads.ts'

const peerName = 'nginx'
const floorName = 'node-undici'
const treadleNames = ['treadle', 'treadle, all roles']

/** A figure beside what is promised of it. `figure` and `most` are in the unit that `what` names. */
export type Verdict = { what: string; figure: number; most: number; beside?: string }

const closeRatio = 1.25 // A miss up to that is explained; a larger one is not done.

export function tellVerdicts(verdicts: readonly Verdict[], say: BenchOptions['say']): void {
  const toWord = ({ figure, most }: Verdict) => {
    if (figure <= most) return 'held'
    return figure <= most * closeRatio ? 'missed' : 'MISSED by over 25 %'
  }
  const rows = verdicts.map((verdict): Cell[] => [
    verdict.what,
    verdict.beside ?? '',
    toText(verdict.figure),
    toText(verdict.most),
    toWord(verdict),
  ])
  say('\n## Targets\n')
  say(toTable(['', 'by', 'figure', 'at most', ''], rows))
}

/** Noise of a shared machine only adds to CPU, so the best round says most; the median shows how much noise there was. */
export const best = (samples: readonly Sample[]) =>
  samples.length === 0 ? Number.NaN : Math.min(...samples.map(({ cpuMs }) => cpuMs))
const middle = (samples: readonly Sample[], of: (sample: Sample) => number) =>
  median(samples.map(of))

export function tellWorkloads(samples: Samples, say: BenchOptions['say']): void {
  const names = [...samples.values().next().value!.keys()]
  for (const name of names) {
    say(`\n${name}\n`)
    say(toTable(loadHead, toLoadRows(samples, name)))
  }
  say('\nTreadle until it is quiet again: what a call costs when its books are kept too\n')
  const treadles = treadleNames.filter((name) => samples.has(name))
  const rows = treadles.flatMap((treadle) => toSettledRows(samples, treadle, names))
  say(toTable(settledHead, rows))
}

export function toWorkloadVerdicts(samples: Samples, over: 'plain' | 'tls'): Verdict[] {
  return treadleNames
    .filter((name) => samples.has(name) && samples.has(peerName))
    .flatMap((treadle) =>
      Object.entries(workloads).flatMap(([workload, { targets }]) => {
        const most = targets[over]
        const name = workload as WorkloadName
        const figure = toBest(samples, treadle, name) / toBest(samples, peerName, name)
        const way = over === 'tls' ? ', TLS upstream' : ''
        const what = `CPU to nginx: ${workload}${way}`
        return most === null ? [] : [{ what, figure, most, beside: treadle }]
      }),
    )
}

const loadHead = [
  'gateway',
  'calls/s',
  'p50 ms',
  'p99 ms',
  'CPU µs a call, best',
  'median',
  'beside it',
  `to ${peerName}`,
  `to ${floorName}`,
  'MB',
  'bytes a reply',
  'errors',
]
const toUs = (ms: number) => ms * 1_000

const toBest = (samples: Samples, peer: string, name: WorkloadName) =>
  best(samples.get(peer)?.get(name) ?? [])

function toLoadRows(samples: Samples, name: WorkloadName): Cell[][] {
  return Array.from(samples, ([peer, ofPeer]) => {
    const rounds = ofPeer.get(name)!
    const errors = rounds.flatMap(({ load }) => Object.entries(load.errors))
    return [
      peer,
      middle(rounds, ({ load }) => load.perSecond),
      middle(rounds, ({ load }) => load.p50Ms),
      middle(rounds, ({ load }) => load.p99Ms),
      toUs(best(rounds)),
      toUs(middle(rounds, ({ cpuMs }) => cpuMs)),
      toUs(middle(rounds, ({ besideCpuMs }) => besideCpuMs)),
      toRatio(best(rounds), toBest(samples, peerName, name)),
      toRatio(best(rounds), toBest(samples, floorName, name)),
      middle(rounds, ({ memoryMb }) => memoryMb),
      middle(rounds, ({ load }) => load.bytesPerReply),
      errors.length === 0 ? '0' : errors.map(([kind, count]) => `${count} ${kind}`).join(', '),
    ]
  })
}

const settledHead = [
  'calls',
  'by',
  'CPU µs a call while loaded',
  'beside it',
  'until quiet',
  'beside it',
  'seconds until quiet',
]

function toSettledRows(
  samples: Samples,
  treadle: string,
  names: readonly WorkloadName[],
): Cell[][] {
  return names.map((name) => {
    const rounds = samples.get(treadle)!.get(name)!
    return [
      name,
      treadle,
      toUs(middle(rounds, ({ cpuMs }) => cpuMs)),
      toUs(middle(rounds, ({ besideCpuMs }) => besideCpuMs)),
      toUs(middle(rounds, ({ settled }) => settled!.cpuMs)),
      toUs(middle(rounds, ({ settled }) => settled!.besideCpuMs)),
      middle(rounds, ({ settled }) => settled!.seconds),
    ]
  })
}
