import type { BarePass } from './bare-pass.ts'
import type { BenchOptions } from './main.ts'
import type { Memory } from './memory-probe.ts'
import { type Place, placeNames } from './state-disk.ts'
import { slope, toRatio, toTable } from './table.ts'

export type LoopsStep = {
  /** Ended since the start. */
  loops: number
  run: { passes: number; seconds: number; treeCpuMs: number; machineCpuMs: number } | null
  memory: Memory
  disk: Readonly<Record<Place, number>>
}

const mebibyte = 1024 ** 2

export function tellLoops(measured: LoopsStep[], bare: BarePass, say: BenchOptions['say']): void {
  say(
    `\nOne pass by a shell script, no walls, no model: ${bare.cpuMs.toFixed(0)} ms CPU, ${bare.ms.toFixed(0)} ms\n`,
  )
  say(
    toTable(
      speedHead,
      measured.flatMap((step) => toSpeedRow(step, bare)),
    ),
  )
  say('Memory of the main process after a collection, MB\n')
  say(toTable(['after loops', 'heap', 'buffers', 'resident'], measured.map(toMemoryRow)))
  // The first step compiles and fills caches; from then on nothing may grow.
  const steady = measured.slice(1)
  const grows = (of: (step: LoopsStep) => number) =>
    slope(steady.map((step) => [step.loops, of(step)] as const))
  const heapKb = grows(({ memory }) => memory.heapMb) * 1_024
  const residentKb = grows(({ memory }) => memory.residentMb) * 1_024
  say(`Slope: heap ${heapKb.toFixed(2)} KB a loop, resident ${residentKb.toFixed(2)} KB a loop.\n`)
  say('Disk of the state folder, MB\n')
  const head = ['what', ...measured.map(({ loops }) => `after ${loops}`), 'KB a loop']
  const rows = placeNames.map((place) => [
    place,
    ...measured.map(({ disk }) => disk[place] / mebibyte),
    grows(({ disk }) => disk[place]) / 1_024,
  ])
  say(toTable(head, rows))
}

const speedHead = [
  'loops',
  'passes/s',
  'CPU ms a pass, its processes',
  'to the script',
  'CPU ms a pass, whole machine',
  'to the script',
]

function toSpeedRow({ loops, run }: LoopsStep, bare: BarePass) {
  if (!run) return []
  const { passes, seconds, treeCpuMs, machineCpuMs } = run
  return [
    [
      `up to ${loops}`,
      passes / seconds,
      treeCpuMs,
      toRatio(treeCpuMs, bare.cpuMs),
      machineCpuMs,
      toRatio(machineCpuMs, bare.cpuMs),
    ],
  ]
}

const toMemoryRow = ({ loops, memory }: LoopsStep) => [
  String(loops),
  memory.heapMb,
  memory.externalMb,
  memory.residentMb,
]
