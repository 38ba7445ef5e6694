// API keys, checked in memory: a snapshot of hashes, fetched from auth every second. No call waits for it.
import { hash } from 'node:crypto'
import type { Peers } from '#kernel/peers.ts'
import type { KeyCheck } from '../auth/api.ts'
import { Refusal } from './refusal.ts'

export type Keys = {
  /** Throws a refusal for a key that is unknown, ended or revoked. */
  check(key: string): KeyCheck
  /** A key that is good, by its id; for people who ask about it. */
  find(id: string, org: string): KeyCheck | undefined
  refresh(signal: AbortSignal): Promise<void>
}

const seenMax = 10_000
export const keyPrefix = 'trd_'

/** @param staleMsMax After so long without a snapshot no key is good: a revoked one must not live on while auth is away. */
export function createKeys(peers: Peers, now: () => Date, staleMsMax: number): Keys {
  let byHash = new Map<string, KeyCheck>()
  let seen = new Map<string, KeyCheck>() // A key is hashed once a snapshot, not once a call.
  let takenAt = Number.NEGATIVE_INFINITY // By the clock that only goes on: a jump makes no snapshot older or newer.

  const find = (key: string): KeyCheck | undefined => {
    // A lookup by the hash of the input shows nothing of other keys by its time.
    const found = byHash.get(hash('sha256', key, 'hex'))
    if (found && seen.size < seenMax) seen.set(key, found)
    return found
  }

  return {
    check(key) {
      if (performance.now() - takenAt > staleMsMax) throw new Refusal('keys/unknown', undefined, 1)
      const found = seen.get(key) ?? find(key)
      if (!found) throw new Refusal('credential/refused')
      if (found.expiresAt !== null && Date.parse(found.expiresAt) <= now().getTime()) {
        throw new Refusal('credential/refused')
      }
      return found
    },
    find: (id, org) => byHash.values().find((one) => one.id === id && one.org === org),
    async refresh(signal) {
      const askedAt = performance.now()
      const list = await peers.json<KeyCheck[]>('auth', { path: '/internal/keys', signal })
      byHash = new Map(list.map((check) => [check.hash, check]))
      seen = new Map()
      takenAt = askedAt
    },
  }
}
