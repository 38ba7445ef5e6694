import { randomBytes } from 'node:crypto'
import type { DatabasePool } from 'slonik'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Key, KeyChange, KeyCheck, MadeKey, NewKey } from './api.ts'
import type { Caller } from './caller.ts'
import { fault } from './errors.ts'
import { hashOf, newSecretText } from './secret-text.ts'
import { insertEvent } from './sql/access-log.ts'
import {
  endKey,
  findHolder,
  findKey,
  insertKey,
  type KeyRow,
  listChecks,
  listKeys,
  markUsed,
  revokeKey,
  setKeyTeam,
} from './sql/keys.ts'

export const keyPrefix = 'trd_'
const keyPattern = /^trd_[0-9a-f]{12}_[\w-]{43}$/

const liveKeysMax = 1_000 // An organisation's; the proxy holds all of them in memory.
const listedMax = 2_000 // Revoked ones come last, and the oldest of them fall off.

export type Keys = {
  /** Makes one for the caller. Its text is in this answer alone. */
  create(claims: UserClaims, wanted: NewKey): Promise<MadeKey>
  list(org: string, user: string | null): Promise<Key[]>
  find(org: string, id: string): Promise<Key>
  revoke(claims: UserClaims, id: string): Promise<Key>
  change(claims: UserClaims, id: string, change: KeyChange): Promise<Key>
  /** Makes one like it, for the same user; the old one ends after `overlapMs`. */
  rotate(claims: UserClaims, id: string, overlapMs: number): Promise<MadeKey>
  /** Whose key it is, while it is live. Its use is noted and written down later, many at once. */
  use(key: string): Promise<Caller | undefined>
  checks(): Promise<KeyCheck[]>
  writeUses(): Promise<void>
}

const dayMs = 86_400_000

/** @param onRevoked Told of each key that is good no more. */
export function createKeys(
  db: DatabasePool,
  now: () => Date,
  onRevoked: (id: string) => void,
): Keys {
  const uses = new Map<string, Date>() // Of live keys alone, so bounded by their number.
  return {
    create: (claims, wanted) =>
      db.transaction(async (transaction) => {
        const { org, sub: user, channel } = claims
        const days = wanted.expiresInDays
        const expiresAt = days === undefined ? null : new Date(now().getTime() + days * dayMs)
        const { name, team = null } = wanted
        const made = toNewKey({ org, user, name, team, now: now(), expiresAt })
        const row = await transaction.maybeOne(insertKey(made.row, liveKeysMax))
        if (!row) throw fault('auth/keys-max')
        const event = { event: 'key-made', org, user, channel, subject: made.row.id } as const
        await transaction.query(insertEvent(now(), event))
        return { ...toKey(row), key: made.key }
      }),
    list: async (org, user) => (await db.any(listKeys(org, user, listedMax))).map(toKey),
    async find(org, id) {
      const row = await db.maybeOne(findKey(org, id))
      if (!row) throw fault('auth/key-absent', { detail: id })
      return toKey(row)
    },
    async revoke({ org, sub: user, channel }, id) {
      const row = await db.transaction(async (transaction) => {
        const event = { event: 'key-revoked', org, user, channel, subject: id } as const
        await transaction.query(insertEvent(now(), event))
        return transaction.one(revokeKey(id, now()))
      })
      onRevoked(id)
      return toKey(row)
    },
    async change({ org, sub: user, channel }, id, { team }) {
      const row = await db.transaction(async (transaction) => {
        const found = await transaction.maybeOne(setKeyTeam(org, id, team))
        if (!found) throw fault('auth/key-absent', { detail: id })
        const detail = team === null ? 'of no team' : `of the team ${team}`
        const event = { event: 'key-changed', org, user, channel, subject: id, detail } as const
        await transaction.query(insertEvent(now(), event))
        return found
      })
      return toKey(row)
    },
    async rotate(claims, id, overlapMs) {
      const { org, channel } = claims
      const made = await db.transaction(async (transaction) => {
        const found = await transaction.maybeOne(findKey(org, id))
        const at = now()
        const endsAt = new Date(at.getTime() + overlapMs)
        const old = await transaction.maybeOne(endKey(org, id, endsAt, at))
        if (!found || !old) throw fault('auth/key-absent', { detail: id })
        const lifeMs = found.expires_at === null ? null : found.expires_at - found.created_at
        const expiresAt = lifeMs === null ? null : new Date(at.getTime() + lifeMs)
        const { user_id: user, name, team } = found
        const next = toNewKey({ org, user, name, team, now: at, expiresAt })
        const row = await transaction.maybeOne(insertKey(next.row, liveKeysMax))
        if (!row) throw fault('auth/keys-max')
        const event = { event: 'key-made', org, user: claims.sub, channel } as const
        const detail = `in place of ${id}`
        await transaction.query(insertEvent(at, { ...event, subject: next.row.id, detail }))
        return { ...toKey(row), key: next.key }
      })
      if (overlapMs === 0) onRevoked(id)
      return made
    },
    async use(key) {
      const row = keyPattern.test(key) ? await db.maybeOne(findHolder(hashOf(key), now())) : null
      if (!row) return undefined
      uses.set(row.id, now())
      const { id, user_id: sub, org, role, team } = row
      const claims = {
        kind: 'user',
        sub,
        org,
        role,
        channel: 'key',
        ...(team && { team }),
      } as const
      return { claims, session: null, key: id }
    },
    checks: async () =>
      (await db.any(listChecks(now()))).map(
        ({ id, hash, org, user_id: user, team, expires_at }) => {
          return { id, hash, org, user, team, expiresAt: toIso(expires_at) }
        },
      ),
    async writeUses() {
      if (uses.size === 0) return
      const written = new Map(uses)
      await db.query(markUsed(written))
      for (const [id, at] of written) if (uses.get(id) === at) uses.delete(id)
    },
  }
}

type Wanted = {
  org: string
  user: string
  name: string
  team: string | null
  now: Date
  expiresAt: Date | null
}

/** Its text, and the row that holds no more of it than its hash. */
function toNewKey(wanted: Wanted) {
  const id = randomBytes(6).toString('hex')
  const key = `${keyPrefix}${id}_${newSecretText()}`
  return { key, row: { ...wanted, id, hash: hashOf(key) } }
}

const toKey = (row: KeyRow): Key => ({
  id: row.id,
  name: row.name,
  org: row.org,
  user: row.user_id,
  team: row.team,
  createdAt: new Date(row.created_at).toISOString(),
  expiresAt: toIso(row.expires_at),
  lastUsedAt: toIso(row.last_used_at),
  revokedAt: toIso(row.revoked_at),
})

const toIso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
