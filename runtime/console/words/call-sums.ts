// Model calls, summed up and in words.
import type { Call } from '../../proxy/api.ts'
import type { Sign } from './sign.ts'

export type CallSums = {
  calls: number
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  costNanoUsd: number
  unpriced: number
}

const nothing: CallSums = {
  calls: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  costNanoUsd: 0,
  unpriced: 0,
}

export const sumCalls = (calls: readonly Call[]): CallSums =>
  calls.reduce(
    (sum, { usage, costNanoUsd, isPriced }) => ({
      calls: sum.calls + 1,
      inputTokens: sum.inputTokens + usage.inputTokens,
      cachedTokens: sum.cachedTokens + usage.cachedTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
      costNanoUsd: sum.costNanoUsd + costNanoUsd,
      unpriced: sum.unpriced + (isPriced ? 0 : 1),
    }),
    nothing,
  )

export function toCallSign({ state, status }: Call): { sign: Sign; word: string } {
  if (state === 'denied') return { sign: 'denied', word: 'refused' }
  if (status !== null && status >= 400) return { sign: 'failed', word: `error ${status}` }
  if (state === 'begun') return { sign: 'running', word: 'running' }
  return state === 'estimated'
    ? { sign: 'stuck', word: 'estimated' }
    : { sign: 'done', word: 'done' }
}

/** How long it took; null while it runs. */
export const toCallMs = ({ beganAt, endedAt }: Call): number | null =>
  endedAt === null ? null : Math.max(0, Date.parse(endedAt) - Date.parse(beganAt))

/** Oldest first, as they happened. */
export const inOrder = (calls: readonly Call[]): Call[] =>
  [...calls].sort((one, other) => one.beganAt.localeCompare(other.beganAt))
