// The passes of a loop as blocks beside each other: as wide as they took long, the agent's part and the gates' part.
import type { Pass } from '../../spool/api.ts'
import type { Glyphs } from './glyphs.ts'
import { type Line, type Look, type Span, span } from './line.ts'

const blockColsMin = 4 // A block of three, and a space.

export type Outcome = 'running' | 'green' | 'red' | 'cut'

export function toOutcome({ phase, agentCut, gates }: Pass): Outcome {
  if (phase !== 'settled') return 'running'
  if (agentCut !== null) return 'cut'
  return gates.length > 0 && gates.every(({ exit, timedOut }) => exit === 0 && !timedOut)
    ? 'green'
    : 'red'
}

const looks: Readonly<Record<Outcome, Look>> = {
  ...{ running: 'blue', green: 'green', red: 'red', cut: 'yellow' },
}

type Selection = { selected: number | undefined; now: number }

/** Two lines: the blocks, and their numbers. Where not all fit, those around the selected one are shown. */
export function toStrip(
  passes: readonly Pass[],
  { selected, now }: Selection,
  cols: number,
  glyphs: Glyphs,
): [Line, Line] {
  const digits = String(passes.at(-1)?.pass ?? 0).length
  const colsMin = Math.max(blockColsMin, digits + 2) // A number, a sign, a space.
  const shown = around(passes, selected, Math.max(1, Math.floor(cols / colsMin)))
  const times = shown.map((pass) => Math.max(1, msOf(pass, now)))
  const total = times.reduce((sum, ms) => sum + ms, 0)
  const spare = cols - shown.length * colsMin
  const blocks: Span[] = []
  const numbers: Span[] = []
  for (const [index, pass] of shown.entries()) {
    const width = colsMin - 1 + Math.floor((spare * times[index]!) / total)
    const outcome = toOutcome(pass)
    const gates = Math.min(width - 1, Math.round(width * gatesShare(pass, times[index]!)))
    const sign = { running: '', green: glyphs.tick, red: glyphs.cross, cut: '!' }[outcome]
    const isSelected = pass.pass === selected
    const label = `${pass.pass}${sign}`.slice(0, width)
    blocks.push(
      span(glyphs.agent.repeat(width - gates), looks[outcome]),
      span(glyphs.gates.repeat(gates), looks[outcome]),
      span(' '),
    )
    numbers.push(span(label, looks[outcome], ...(isSelected ? (['inverse'] as const) : [])))
    numbers.push(span(' '.repeat(width + 1 - label.length)))
  }
  return [blocks, numbers]
}

function around(passes: readonly Pass[], selected: number | undefined, count: number) {
  const at = passes.findIndex(({ pass }) => pass === selected)
  const from = Math.max(0, Math.min(at - Math.floor(count / 2), passes.length - count))
  return passes.slice(from, from + count)
}

export const msOf = ({ startedAt, endedAt }: Pass, now: number) =>
  (endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt)

function gatesShare({ gatesMs, phase, agentMs }: Pass, ms: number): number {
  if (gatesMs !== null) return Math.min(1, gatesMs / ms)
  return phase === 'gates' && agentMs !== null ? Math.max(0, 1 - agentMs / ms) : 0
}
