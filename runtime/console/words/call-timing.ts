// Where a call's time went: the parts of a bar, one after the other, without a gap.
import type { Call } from '../../proxy/api.ts'

export type TimingPart = {
  name: 'intake' | 'sending' | 'waiting' | 'answering'
  word: string
  ms: number
  /** Of the whole, in percent. */
  share: number
}

const words = {
  intake: 'Taking it in',
  sending: 'Handing it on',
  waiting: 'Waiting for the first byte',
  answering: 'The answer',
} as const

/** Empty where nothing was measured. What a call did not come to is left out. */
export function toTimingParts({ timing, beganAt, endedAt }: Call): TimingPart[] {
  if (!timing) return []
  const { intakeMs, sentMs, firstByteMs, lastByteMs } = timing
  const endMs = endedAt === null ? null : Math.max(0, Date.parse(endedAt) - Date.parse(beganAt))
  const sent = sentMs ?? endMs
  const first = sentMs === null ? null : (firstByteMs ?? endMs)
  const lengths = {
    intake: intakeMs,
    sending: sent,
    waiting: between(sentMs, first),
    answering: between(firstByteMs, lastByteMs ?? endMs),
  }
  const parts = Object.entries(lengths).flatMap(([name, ms]) =>
    ms === null ? [] : [{ name: name as TimingPart['name'], ms: Math.max(0, ms) }],
  )
  const all = parts.reduce((sum, { ms }) => sum + ms, 0)
  return parts.map(({ name, ms }) => ({
    ...{ name, word: words[name], ms },
    share: all === 0 ? 100 / parts.length : (100 * ms) / all,
  }))
}

const between = (from: number | null, to: number | null) =>
  from === null || to === null ? null : to - from

/** Tokens a second while the answer came; null where that says nothing. */
export function toSpeed({ timing, usage }: Call): number | null {
  const ms = timing && between(timing.firstByteMs, timing.lastByteMs)
  return ms && usage.outputTokens > 1 ? (1_000 * (usage.outputTokens - 1)) / ms : null
}
