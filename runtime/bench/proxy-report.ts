import type { BenchOptions } from './main.ts'
import type { Sample, Samples, WorkloadName } from './proxy.ts'
import { type Cell, median, toRatio, toTable } from './table.ts'

const peerName = 'nginx'
const floorName = 'node-undici'
const targetRatio = 2

/** Noise of a shared machine only adds to CPU, so the best round says most; the median shows how much noise there was. */
const best = (samples: readonly Sample[]) => Math.min(...samples.map(({ cpuMs }) => cpuMs))
const middle = (samples: readonly Sample[], of: (sample: Sample) => number) =>
  median(samples.map(of))

export function tellProxy(samples: Samples, say: BenchOptions['say']): void {
  const names = [...samples.values().next().value!.keys()]
  for (const name of names) {
    say(`\n${name}\n`)
    say(toTable(loadHead, toLoadRows(samples, name)))
  }
  say('\nTreadle until it is quiet again: what a call costs when its books are kept too\n')
  say(toTable(settledHead, toSettledRows(samples, names)))
  const ratio = toBest(samples, 'treadle', names[1]!) / toBest(samples, floorName, names[1]!)
  const verdict = ratio <= targetRatio ? 'held' : 'missed'
  say(
    `Target, at most ${targetRatio}x ${floorName} at ${names[1]}: ${verdict}, ${ratio.toFixed(2)}x.\n`,
  )
}

const loadHead = [
  'gateway',
  'calls/s',
  'p50 ms',
  'p99 ms',
  'CPU ms a call, best',
  'median',
  `to ${peerName}`,
  `to ${floorName}`,
  'MB',
  'bytes a reply',
  'errors',
]

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
      best(rounds),
      middle(rounds, ({ cpuMs }) => cpuMs),
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
  'CPU ms a call while loaded',
  'PostgreSQL',
  'until quiet',
  'PostgreSQL',
  `until quiet, both, to ${floorName}`,
  'seconds until quiet',
]

function toSettledRows(samples: Samples, names: readonly WorkloadName[]): Cell[][] {
  return names.map((name) => {
    const rounds = samples.get('treadle')!.get(name)!
    const own = middle(rounds, ({ settled }) => settled!.cpuMs)
    const beside = middle(rounds, ({ settled }) => settled!.besideCpuMs)
    return [
      name,
      middle(rounds, ({ cpuMs }) => cpuMs),
      middle(rounds, ({ besideCpuMs }) => besideCpuMs),
      own,
      beside,
      toRatio(own + beside, toBest(samples, floorName, name)),
      middle(rounds, ({ settled }) => settled!.seconds),
    ]
  })
}
