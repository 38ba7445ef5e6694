// How fast somebody calls, in three numbers: the calls of this window, and those of the one before, of which as much counts
// as a window that ends now would still hold. Exact for what comes at once; up to twice the bound in the worst pattern.
import { Refusal } from './refusal.ts'

export type Pace = { fromMs: number; before: number; count: number }
export type PaceLimit = { callsMax: number; windowMs: number }

export const newPace = (): Pace => ({ fromMs: Number.NEGATIVE_INFINITY, before: 0, count: 0 })

/** Counts a call, unless it comes too fast. @param atMs By a clock that never goes back. */
export function takePace(pace: Pace, atMs: number, { callsMax, windowMs }: PaceLimit): boolean {
  const passedMs = atMs - pace.fromMs
  if (passedMs >= windowMs) {
    const isNext = passedMs < 2 * windowMs
    pace.before = isNext ? pace.count : 0
    pace.fromMs = isNext ? pace.fromMs + windowMs : atMs
    pace.count = 0
  }
  const share = 1 - (atMs - pace.fromMs) / windowMs
  if (pace.before * share + pace.count >= callsMax) return false
  pace.count += 1
  return true
}

type Breaker = { callsMax: number; keyCallsMax: number; windowMs: number; retryAfterS: number }

const keysMax = 10_000 // As many as are known at once. Whoever is the longest in here begins anew.

/** The breaker against tight loops: of a sandbox, whose state holds its pace, and of an API key. Throws its refusal. */
export function createBreaker(breaker: Breaker) {
  const { callsMax, keyCallsMax, windowMs, retryAfterS } = breaker
  const ofSandbox: PaceLimit = { callsMax, windowMs }
  const ofKey: PaceLimit = { callsMax: keyCallsMax, windowMs }
  const paces = new Map<string, Pace>()

  const paceOf = (key: string): Pace => {
    const known = paces.get(key)
    if (known) return known
    if (paces.size >= keysMax) paces.delete(paces.keys().next().value!)
    const made = newPace()
    paces.set(key, made)
    return made
  }

  const assert = (pace: Pace, atMs: number, limit: PaceLimit, whose: string) => {
    if (takePace(pace, atMs, limit)) return
    const say = `${limit.callsMax} calls of one ${whose} in ${windowMs / 1_000} s is the most.`
    throw new Refusal('rate/loop', say, retryAfterS)
  }

  return {
    sandbox: (pace: Pace, atMs: number) => assert(pace, atMs, ofSandbox, 'sandbox'),
    key: (key: string, atMs: number) => assert(paceOf(key), atMs, ofKey, 'API key'),
  }
}
