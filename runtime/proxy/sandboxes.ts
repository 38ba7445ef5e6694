// What each sandbox has spent and when it last did something, in memory: no call waits for a database to know.
import type { SandboxClaims } from '#kernel/tokens.ts'
import type { Purse, SandboxCaps } from './budgets/fit.ts'
import { newPace, type Pace } from './pace.ts'

export type SandboxState = Purse & {
  inFlight: number
  /** Epoch ms of the last beginning or byte; 0 = not since this process started. */
  lastActiveMs: number
  readonly pace: Pace
}

export type Sandboxes = {
  get(sandbox: string): SandboxState
  find(sandbox: string): SandboxState | undefined
  /** After a restart: what the ledger says was spent before. */
  restore(sandbox: string, spent: { nanoUsd: number; tokens: number }): void
}

// 0.3 KB each. The longest idle ones leave: a machine runs tens at once, and a thousand is the most that one may be set to.
export const sandboxesMax = 1_000

export function createSandboxes(): Sandboxes {
  const states = new Map<string, SandboxState>()
  const get = (sandbox: string): SandboxState => {
    const known = states.get(sandbox)
    if (known) return known
    if (states.size >= sandboxesMax) evict(states)
    const purse: Purse = { nanoUsd: 0, tokens: 0, heldNanoUsd: 0, heldTokens: 0 }
    const made = { ...purse, inFlight: 0, lastActiveMs: 0, pace: newPace() }
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
