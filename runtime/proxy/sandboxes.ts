// What each sandbox has spent and when it last did something, in memory: no call waits for a database to know.
import type { SandboxClaims } from '#kernel/tokens.ts'
import type { Purse, SandboxCaps } from './budgets/fit.ts'
import { Refusal } from './refusal.ts'

export type SandboxState = Purse & {
  inFlight: number
  /** Epoch ms of the last beginning or byte; 0 = not since this process started. */
  lastActiveMs: number
  /** When the last calls began, by the clock that only goes on; a ring: the oldest one tells whether they came too fast. */
  readonly begins: Float64Array
  beginAt: number
}

export type Sandboxes = {
  get(sandbox: string): SandboxState
  find(sandbox: string): SandboxState | undefined
  /** After a restart: what the ledger says was spent before. */
  restore(sandbox: string, spent: { nanoUsd: number; tokens: number }): void
}

// 1.2 KB each. The longest idle ones leave: a machine runs tens at once, so their passes have ended long ago.
export const sandboxesMax = 2_000

export function createSandboxes(callsMax: number): Sandboxes {
  const states = new Map<string, SandboxState>()
  const get = (sandbox: string): SandboxState => {
    const known = states.get(sandbox)
    if (known) return known
    if (states.size >= sandboxesMax) evict(states)
    const begins = new Float64Array(callsMax).fill(Number.NEGATIVE_INFINITY)
    const purse: Purse = { nanoUsd: 0, tokens: 0, heldNanoUsd: 0, heldTokens: 0 }
    const made = { ...purse, inFlight: 0, lastActiveMs: 0, begins, beginAt: 0 }
    states.set(sandbox, made)
    return made
  }
  return {
    get,
    find: (sandbox) => states.get(sandbox),
    restore: (sandbox, spent) => void Object.assign(get(sandbox), spent),
  }
}

/** The caps that a sandbox's token names, beside what it has spent: one more budget for each of its calls. */
export const toSandboxCaps = (
  purse: SandboxState,
  { nanoUsdMax, tokensMax }: Pick<SandboxClaims, 'nanoUsdMax' | 'tokensMax'>,
): SandboxCaps => ({ purse, nanoUsdMax, tokensMax })

/** A tenth at once, so that a full map does not sort at every call. */
function evict(states: Map<string, SandboxState>): void {
  const idle = [...states].filter(([, state]) => state.inFlight === 0)
  idle.sort(([, one], [, other]) => one.lastActiveMs - other.lastActiveMs)
  for (const [sandbox] of idle.slice(0, sandboxesMax / 10)) states.delete(sandbox)
}

/** Refuses a call when as many as the ring holds began within the window. An agent in a tight loop makes 25 a second. */
export function assertPace(
  state: SandboxState,
  nowMs: number,
  { windowMs, retryAfterS }: { windowMs: number; retryAfterS: number },
): void {
  const atMs = performance.now()
  const oldest = state.begins[state.beginAt]!
  if (atMs - oldest < windowMs) {
    const say = `${state.begins.length} calls in ${windowMs / 1_000} s is the most.`
    throw new Refusal('rate/loop', say, retryAfterS)
  }
  state.lastActiveMs = nowMs
  state.begins[state.beginAt] = atMs
  state.beginAt = (state.beginAt + 1) % state.begins.length
}
