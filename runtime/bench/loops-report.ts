import type { BarePass } from './bare-pass.ts'
import type { BenchOptions } from './main.ts'
import type { Memory } from './memory-probe.ts'
import { type Place, placeNames } from './state-disk.ts'
import { slope, toRatio, toTable } from './table.ts'

export type LoopsStep = {
  /** Ended since the start. */
  loops: number
  run: { passes: number; seconds: number; cpuMs: number } | null
  memory: Memory
  disk: Readonly<Record<Place, number>>
}

const mebibyte = 1024 ** 2

export type LoopsFigures = {
  measured: LoopsStep[]
  bare: BarePass
  /** Whose CPU. */
  counted: string
  say: BenchOptions['say']
}

export function tellLoops({ measured, bare, counted, say }: LoopsFigures): void {
  const [cpu, wall] = [bare.cpuMs.toFixed(0), bare.ms.toFixed(0)]
  say(`\nOne pass by a shell script, no walls, no model: ${cpu} ms CPU, ${wall} ms\n`)
  const speedHead = ['loops', 'passes/s', `CPU ms a pass, ${counted}`, 'to the script']
  say(
    toTable(
      speedHead,
      measured.flatMap((step) => toSpeedRow(step, bare)),
    ),
  )
  say('Memory of the main process after a collection, MB\n')
  say(toTable(memoryHead, measured.map(toMemoryRow)))
  // The first step compiles and fills caches; from then on nothing may grow.
  const steady = measured.slice(1)
  const grows = (of: (step: LoopsStep) => number) =>
    slope(steady.map((step) => [step.loops, of(step)] as const))
  const heapKb = grows(({ memory }) => memory.heapMb - memory.codeMb) * 1_024
  const residentKb = grows(({ memory }) => memory.residentMb) * 1_024
  say(
    `Slope: heap without code ${heapKb.toFixed(2)} KB a loop, resident ${residentKb.toFixed(2)} KB a loop.\n`,
  )
  say('Disk of the state folder, MB\n')
  const head = ['what', ...measured.map(({ loops }) => `after ${loops}`), 'KB a loop']
  const rows = placeNames.map((place) => [
    place,
    ...measured.map(({ disk }) => disk[place] / mebibyte),
    grows(({ disk }) => disk[place]) / 1_024,
  ])
  say(toTable(head, rows))
}

function toSpeedRow({ loops, run }: LoopsStep, bare: BarePass) {
  if (!run) return []
  const { passes, seconds, cpuMs } = run
  return [[`up to ${loops}`, passes / seconds, cpuMs, toRatio(cpuMs, bare.cpuMs)]]
}

const memoryHead = ['after loops', 'heap', 'of it code', 'buffers', 'resident']
const toMemoryRow = ({ loops, memory }: LoopsStep) => [
  String(loops),
  memory.heapMb,
  memory.codeMb,
  memory.externalMb,
  memory.residentMb,
]
