// What came of a pass, as a sign and in words. A pass that leads to another one is told by its gates.
import type { Pass } from '../../spool/api.ts'
import { isGreen } from './gate-view.ts'
import { type Sign, signs } from './sign.ts'

export type Outcome = { sign: Sign; word: string }

export function toOutcome({ phase, next, gates, agentCut }: Pass): Outcome {
  if (phase === 'agent') return { sign: 'running', word: 'agent at work' }
  if (phase === 'gates') return { sign: 'running', word: 'gates run' }
  if (next === 'paused') return { sign: 'paused', word: 'waited for the provider' }
  if (next !== null && next !== 'again') return ofEnding(next)
  const red = gates.filter((gate) => !isGreen(gate)).length
  if (red > 0) return { sign: 'failed', word: red === 1 ? '1 gate red' : `${red} gates red` }
  if (gates.length > 0) return { sign: 'done', word: 'gates green' }
  return { sign: 'stuck', word: agentCut === null ? 'no gate ran' : `agent cut: ${agentCut}` }
}

function ofEnding(ending: string): Outcome {
  const [name, detail] = ending.split(': ')
  const sign = name! in signs ? (name as Sign) : 'capped'
  return { sign, word: detail === undefined ? name! : `${name} · ${detail}` }
}

/** How the two parts of a pass share its time; the part that runs has all that no other part had. */
export function toParts(pass: Pass, now: number): { agentMs: number; gatesMs: number } {
  const end = pass.endedAt === null ? now : Date.parse(pass.endedAt)
  const wholeMs = Math.max(0, end - Date.parse(pass.startedAt))
  if (pass.phase === 'agent') return { agentMs: wholeMs, gatesMs: 0 }
  const agentMs = Math.min(pass.agentMs ?? wholeMs, wholeMs)
  return { agentMs, gatesMs: pass.gatesMs ?? wholeMs - agentMs }
}

/** Where an arrow key leads among so many passes; undefined where it leads nowhere. */
export function toPlace(key: string, at: number, count: number): number | undefined {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[key]
  if (step !== undefined) return Math.min(count - 1, Math.max(0, at + step))
  if (key === 'Home') return 0
  return key === 'End' ? count - 1 : undefined
}
