// How a state is shown: colour, shape and word together, the same on every page. Colours alone are not seen by everybody.
import type { Ending, LoopSummary } from '../../spool/api.ts'

export const signs = {
  running: 'half',
  waiting: 'ring',
  done: 'tick',
  stuck: 'pause',
  capped: 'lock',
  failed: 'cross',
  denied: 'shield',
  'needs-review': 'eye',
  cancelled: 'slash',
  paused: 'bars',
} as const
export type Sign = keyof typeof signs

/** The sign of a loop, and the words beside it: `capped: usd` is the sign `capped` and says which cap. */
export function toSign({ state, ending }: Pick<LoopSummary, 'state' | 'ending'>): {
  sign: Sign
  word: string
} {
  if (state === 'running') return { sign: 'running', word: 'running' }
  if (state === 'paused') return { sign: 'paused', word: 'paused' }
  if (state === 'queued' || ending === null) return { sign: 'waiting', word: 'waiting' }
  if (ending.startsWith('capped')) return { sign: 'capped', word: ending.replace(': ', ' · ') }
  return { sign: ending as Sign, word: ending }
}

const nexts: Readonly<Record<Sign, string>> = {
  running: '',
  waiting: 'It starts as soon as a place is free.',
  done: 'Review the branch, then merge it.',
  stuck: 'Read the last pass: make the prompt or the gates say more, then retry.',
  capped: 'Raise the cap in a new loop, or split the plan into smaller items.',
  failed: 'The last pass has the error; mend what it names, then retry.',
  denied: 'The model or the budget was refused: look at providers and keys, then retry.',
  'needs-review': 'The agent says it is done and the gates do not: somebody has to look at both.',
  cancelled: 'Retry starts it again from the beginning.',
  paused: '',
}

/** What a person does next about a loop in that state; '' = nothing. */
export const toNextStep = (sign: Sign): string => nexts[sign]

/** Every ending that the list can be filtered by. */
export const endings = [
  'done',
  'failed',
  'capped: iterations',
  'capped: time',
  'capped: idle',
  'capped: usd',
  'capped: tokens',
  'stuck',
  'needs-review',
  'denied',
  'cancelled',
] as const satisfies readonly Ending[]
