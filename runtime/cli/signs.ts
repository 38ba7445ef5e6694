// How a state is shown: colour, sign and word together, so that it is told apart without colours, and without looking twice.
import type { LoopSummary } from '../spool/api.ts'

export type Paint = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'grey'
type Look = { paint: Paint; sign: string; plain: string }

/** `plain` is for terminals whose font or encoding has no more than ASCII. */
export const signs = {
  running: { paint: 'blue', sign: '◐', plain: '*' },
  waiting: { paint: 'grey', sign: '○', plain: 'o' },
  done: { paint: 'green', sign: '✓', plain: '+' },
  stuck: { paint: 'yellow', sign: '‖', plain: '!' },
  capped: { paint: 'yellow', sign: '▣', plain: '#' },
  failed: { paint: 'red', sign: '✗', plain: 'x' },
  denied: { paint: 'red', sign: '◆', plain: 'X' },
  'needs-review': { paint: 'magenta', sign: '◉', plain: '?' },
  cancelled: { paint: 'grey', sign: '⊘', plain: '/' },
  paused: { paint: 'grey', sign: '‖', plain: '=' },
} as const satisfies Record<string, Look>
export type Sign = keyof typeof signs

export function toSign({ state, ending }: Pick<LoopSummary, 'state' | 'ending'>): {
  sign: Sign
  word: string
} {
  if (state === 'running' || state === 'paused') return { sign: state, word: state }
  if (state === 'queued' || ending === null) return { sign: 'waiting', word: 'waiting' }
  if (ending.startsWith('capped')) return { sign: 'capped', word: ending }
  return { sign: ending as Sign, word: ending }
}
