// The calls that are in flight now. As many as there may be calls at once, and none is kept when it has ended.
import type { LiveCall, LiveCalls } from '../api.ts'
import type { CallWatch } from './call-watch.ts'

export type LiveTable = {
  add(watch: CallWatch): void
  remove(watch: CallWatch): void
  count(): number
  /** The oldest first: what hangs is what one looks for. */
  list(org: string | null, itemsMax: number): LiveCalls
}

export function createLiveTable(): LiveTable {
  const watches = new Set<CallWatch>() // In the order they began.
  return {
    add: (watch) => void watches.add(watch),
    remove: (watch) => void watches.delete(watch),
    count: () => watches.size,
    list(org, itemsMax) {
      const own = [...watches].filter(({ begun }) => org === null || begun.facts.org === org)
      return { items: own.slice(0, itemsMax).map(toLiveCall), total: own.length }
    },
  }
}

function toLiveCall(watch: CallWatch): LiveCall {
  const { facts } = watch.begun
  const { id, user, key, loop, pass, sandbox, model, wire, began_at: beganAt } = facts
  const { firstByteMs } = watch.timing()
  return {
    ...{ id, user, key, loop, pass, sandbox, provider: watch.provider, model, wire, beganAt },
    isRehearsal: facts.is_rehearsal,
    sinceMs: Math.round(performance.now() - watch.bookedAtMs),
    firstByteMs,
    bytes: watch.bytes,
    tries: watch.retries + 1,
  }
}
