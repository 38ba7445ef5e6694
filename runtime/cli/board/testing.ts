// A board with loops on it, as the wire would have brought them.
import type { LoopSummary, Pass } from '../../spool/api.ts'
import { loop as wireLoop, pass as wirePass } from '../testing.ts'
import { press } from './act.ts'
import type { Key } from './keys.ts'
import { type Board, type Effect, emptyBoard, type Happening, learn } from './state.ts'

const { spec: _, base: __, ...summary } = wireLoop
export const now = Date.parse('2026-01-02T04:00:00Z')
const minutesAgo = (minutes: number) => new Date(now - minutes * 60_000).toISOString()

export const loopOf = (id: string, over: Partial<LoopSummary> = {}): LoopSummary => ({
  ...summary,
  id,
  name: `loop-${id}`,
  repository: '/srv/app',
  ref: 'main',
  caps: { iterations: 20, time: 7_200_000, idle: 600_000, usd: 5 },
  createdAt: minutesAgo(10),
  startedAt: minutesAgo(4),
  ...over,
})

const ended = { state: 'ended', endedAt: minutesAgo(1) } as const
export const loops: readonly LoopSummary[] = [
  loopOf('l-running', {
    ...{ createdAt: minutesAgo(4), passes: 2, costNanoUsd: 4_300_000_000, isRehearsal: true },
    pass: { pass: 3, phase: 'agent', startedAt: minutesAgo(1) },
  }),
  loopOf('l-queued', { createdAt: minutesAgo(5), state: 'queued', startedAt: null }),
  loopOf('l-paused', {
    ...{ createdAt: minutesAgo(6), state: 'paused', isHeld: true },
    reason: 'Paused by Ada; resume it to go on.',
  }),
  loopOf('l-done', { ...ended, ending: 'done', reason: 'All gates are green.' }),
  loopOf('l-capped', { ...ended, ending: 'capped: usd', createdAt: minutesAgo(11) }),
  loopOf('l-stuck', { ...ended, ending: 'stuck', createdAt: minutesAgo(12) }),
  loopOf('l-review', { ...ended, ending: 'needs-review', createdAt: minutesAgo(13) }),
  loopOf('l-denied', { ...ended, ending: 'denied', createdAt: minutesAgo(14) }),
  loopOf('l-failed', { ...ended, ending: 'failed', createdAt: minutesAgo(15) }),
  loopOf('l-cancelled', { ...ended, ending: 'cancelled', createdAt: minutesAgo(16) }),
]

export const passOf = (pass: number, over: Partial<Pass> = {}): Pass => ({
  ...wirePass,
  loop: 'l-running',
  pass,
  startedAt: minutesAgo(4 - pass),
  endedAt: minutesAgo(3 - pass),
  agentMs: 45_000,
  gatesMs: 15_000,
  changes: { files: 3, additions: 20, deletions: 4 },
  plan: [
    { text: 'parse the header', isDone: true },
    { text: 'parse the body', isDone: false },
  ],
  ...over,
})

export const passes: readonly Pass[] = [
  passOf(1),
  passOf(2, { gates: [{ name: 'test', exit: 0, ms: 900, timedOut: false, output: '' }] }),
  passOf(3, {
    ...{ phase: 'agent', gates: [], endedAt: null, sha: null, agentMs: null, gatesMs: null },
    ...{ next: null, reason: null, changes: null, startedAt: minutesAgo(1) },
  }),
]

export const startBoard = (size = { cols: 80, rows: 24 }): Board =>
  [
    { kind: 'size', ...size } as const,
    { kind: 'list', items: loops, total: loops.length } as const,
    { kind: 'link', state: 'live', why: '' } as const,
  ].reduce<Board>(learn, emptyBoard(now))

/** Presses keys by their names, one after the other. */
export function pressAll(board: Board, ...names: string[]): { board: Board; effects: Effect[] } {
  const effects: Effect[] = []
  let at = board
  for (const name of names) {
    const key: Key = name.startsWith('paste ') ? { name: 'paste', text: name.slice(6) } : { name }
    const done = press(at, key)
    at = done.board
    effects.push(...done.effects)
  }
  return { board: at, effects }
}

export const learnAll = (board: Board, ...all: Exclude<Happening, { kind: 'key' }>[]) =>
  all.reduce<Board>(learn, board)
