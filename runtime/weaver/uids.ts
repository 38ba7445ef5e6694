// Which user outside each sandbox is: one of a range that belongs to this role alone.
import { fault } from './errors.ts'
import { listPids, uidOf } from './processes.ts'

export type Uids = { take(): number | null; giveBack(uid: number | null): void }

/**
 * As an ordinary user there is no choice: every sandbox is that user, and walls alone keep them
 * apart.
 */
export const noUids: Uids = { take: () => null, giveBack: () => {} }

export function createUids(base: number, count: number): Uids {
  const taken = new Set<number>()
  let next = 0
  return {
    take() {
      const busy = new Set(listPids().map(uidOf))
      for (let tried = 0; tried < count; tried += 1) {
        const uid = base + next
        next = (next + 1) % count // In turn, so that a user just left is not met again at once.
        if (taken.has(uid) || busy.has(uid)) continue
        taken.add(uid)
        return uid
      }
      throw fault('weaver/full', { detail: `all of ${count} users are taken` })
    },
    giveBack(uid) {
      if (uid !== null) taken.delete(uid)
    },
  }
}
