// How each credential fares, by provider id, in this process. A changed key is another id, so it starts good.
//
// | state     | enters when                                     | leaves when                                    |
// | --------- | ----------------------------------------------- | ---------------------------------------------- |
// | good      | at first; an answer that is not its failure     | failures of one class in a row reach their most|
// | cooling   | the above, or the probe failed                  | its time is over: half-open                    |
// | half-open | the cool-down is over                           | one call, the probe, ends: good or cooling     |
import type { FailureClass, HealthState, ProviderHealth } from './api.ts'

type Cooling = {
  /** Failures in a row before it cools. */
  failuresMax: number
  baseMs: number
  /** Doubled at each failure up to this; a vendor's retry-after is kept to as well, up to `askedMsMax`. */
  msMax: number
  askedMsMax: number
}
const minute = 60_000
const coolings: Readonly<Record<Exclude<FailureClass, 'bad-request'>, Cooling>> = {
  // Somebody must pay a bill or change the key: asking often helps nobody.
  'dead-key': { failuresMax: 1, baseMs: 30_000, msMax: 15 * minute, askedMsMax: 15 * minute },
  'rate-limited': { failuresMax: 1, baseMs: 2_000, msMax: minute, askedMsMax: 10 * minute },
  busy: { failuresMax: 1, baseMs: 500, msMax: 8_000, askedMsMax: minute },
  // One 529 passes by itself; an account that cools at once loses its cache for it.
  overloaded: { failuresMax: 2, baseMs: 2_000, msMax: 30_000, askedMsMax: 2 * minute },
  unsent: { failuresMax: 2, baseMs: 1_000, msMax: 30_000, askedMsMax: minute },
  failed: { failuresMax: 3, baseMs: 2_000, msMax: 30_000, askedMsMax: minute },
  unanswered: { failuresMax: 3, baseMs: 2_000, msMax: 30_000, askedMsMax: minute },
}
const jitterShare = 0.2 // So that many workers don't all probe in the same moment.
const doublingsMax = 16

type State = {
  inFlight: number
  class: FailureClass | null
  failures: number
  coolingUntilMs: number
  isProbing: boolean
}

export type Health = {
  /** May a call go there now, as far as health knows? A half-open one takes a single call. */
  isFit(id: string): boolean
  isDead(id: string): boolean
  inFlight(id: string): number
  coolingUntilMs(id: string): number
  /** A call goes there. Whether it is the probe of a half-open one: `leave` wants to know. */
  enter(id: string): boolean
  leave(id: string, isProbe: boolean): void
  /** Null = the credential works. */
  note(id: string, found: FailureClass | null, askedMs: number | null): void
  show(id: string): Omit<ProviderHealth, 'name' | 'callsMax'>
  /** Forgets all but these, so that the state is bounded by the number of providers. */
  keep(ids: ReadonlySet<string>): void
}

/** @param random 0 to 1, for the jitter. */
export function createHealth(now: () => Date, random: () => number = Math.random): Health {
  const states = new Map<string, State>()
  const at = () => now().getTime()
  const get = (id: string): State => {
    const known = states.get(id)
    if (known) return known
    const made = { inFlight: 0, class: null, failures: 0, coolingUntilMs: 0, isProbing: false }
    states.set(id, made)
    return made
  }
  const stateOf = (state: State | undefined): HealthState => {
    if (!state || state.coolingUntilMs === 0) return 'good'
    return at() < state.coolingUntilMs ? 'cooling' : 'half-open'
  }

  return {
    isFit(id) {
      const state = states.get(id)
      const now = stateOf(state)
      return now === 'good' || (now === 'half-open' && !state!.isProbing)
    },
    isDead(id) {
      const state = states.get(id)
      return state?.class === 'dead-key' && stateOf(state) !== 'good'
    },
    inFlight: (id) => states.get(id)?.inFlight ?? 0,
    coolingUntilMs: (id) => states.get(id)?.coolingUntilMs ?? 0,
    enter(id) {
      const state = get(id)
      state.inFlight += 1
      const isProbe = stateOf(state) === 'half-open' && !state.isProbing
      if (isProbe) state.isProbing = true
      return isProbe
    },
    leave(id, isProbe) {
      const state = get(id)
      state.inFlight = Math.max(0, state.inFlight - 1)
      if (isProbe) state.isProbing = false // Also without a word, when the client left: the next call is the probe.
    },
    note(id, found, askedMs) {
      const state = get(id)
      if (found === null || found === 'bad-request') return reset(state)
      const isKnown = state.class === found && stateOf(state) === 'cooling'
      if (state.class !== found) Object.assign(state, { class: found, failures: 0 })
      // A crowd of calls that were in flight together tells one thing, and tells it once.
      if (!isKnown) state.failures += 1
      const ms = isKnown
        ? Math.min(askedMs ?? 0, coolings[found].askedMsMax)
        : toCoolingMs(coolings[found], state.failures, askedMs, random())
      if (ms > 0) state.coolingUntilMs = Math.max(state.coolingUntilMs, at() + ms)
    },
    show(id) {
      const state = states.get(id)
      const until = state?.coolingUntilMs ?? 0
      return {
        state: stateOf(state),
        class: state?.class ?? null,
        failures: state?.failures ?? 0,
        coolingUntil: until > at() ? new Date(until).toISOString() : null,
        inFlight: state?.inFlight ?? 0,
      }
    },
    keep(ids) {
      for (const [id, { inFlight }] of states) {
        if (!ids.has(id) && inFlight === 0) states.delete(id)
      }
    },
  }
}

function reset(state: State): void {
  Object.assign(state, { class: null, failures: 0, coolingUntilMs: 0, isProbing: false })
}

/** 0 = it does not cool yet. */
function toCoolingMs(
  { failuresMax, baseMs, msMax, askedMsMax }: Cooling,
  failures: number,
  askedMs: number | null,
  chance: number,
): number {
  if (failures < failuresMax && askedMs === null) return 0
  const doublings = Math.min(Math.max(0, failures - failuresMax), doublingsMax)
  const own = Math.min(baseMs * 2 ** doublings, msMax)
  const jittered = own * (1 - jitterShare / 2 + jitterShare * chance)
  return Math.max(jittered, Math.min(askedMs ?? 0, askedMsMax))
}
