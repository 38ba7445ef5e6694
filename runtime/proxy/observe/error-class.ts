// What an upstream did wrong in one try, in a word of ours.
import type { AttemptEnd } from '../relay.ts'
import { isTimeout } from '../upstream/error.ts'

/** Null = nothing, or it was the client. */
export function toErrorClass({ outcome, status, error }: AttemptEnd): string | null {
  if (outcome === 'cut' || outcome === 'unsent') return outcome
  if (outcome === 'unanswered') return error && isTimeout(error) ? 'timeout' : 'unanswered'
  if (status === null || status < 400) return null
  return statusClasses[status] ?? (status >= 500 ? 'failed' : 'refused')
}

const statusClasses: Readonly<Record<number, string>> = {
  401: 'credential',
  402: 'credential',
  403: 'credential',
  429: 'rate-limited',
  503: 'overloaded',
  529: 'overloaded',
}
