import type { CommonQueryMethods, DatabasePool } from 'slonik'
import type { Session } from './api.ts'
import { type Caller, firstOrg, firstUser } from './caller.ts'
import { fault } from './errors.ts'
import { hashOf, newSecretText } from './secret-text.ts'
import { insertEvent } from './sql/access-log.ts'
import {
  type ChangedRow,
  deleteOldSessions,
  deleteOtherSessions,
  deleteOverflow,
  deleteSession,
  deleteSessionOf,
  findSession,
  insertSession,
  listSessions,
  moveSession,
  type SessionRow,
  type SessionToStore,
  touchSession,
} from './sql/sessions.ts'

// | state | enters when    | leaves when                                                             |
// | ----- | -------------- | ----------------------------------------------------------------------- |
// | open  | a link is used | signed out, unused for `idleMs`, `lifeMs` after it began, membership over |
// | over  | it left open   | never; its row goes at once or with the next sweep                      |

export type Sessions = {
  /** Answers the cookie's value. */
  begin(db: CommonQueryMethods, session: Omit<SessionToStore, 'hash'>): Promise<string>
  /** @param isDirect Whether the request came straight from this machine. */
  find(hash: string, isDirect: boolean): Promise<Caller | undefined>
  /** Of the caller, in any organisation. */
  list(caller: Caller): Promise<Session[]>
  end(hash: string): Promise<void>
  /** Throws `auth/session-absent` where it is not the caller's. */
  endOne(caller: Caller, id: string): Promise<void>
  /** Answers how many. */
  endOthers(caller: Caller): Promise<number>
  /** The session speaks for this organisation from now on. */
  enter(caller: Caller, org: string): Promise<void>
  sweep(): Promise<void>
}

type More = {
  idleMs: number
  lifeMs: number
  now: () => Date
  /** Told of each session that ended or speaks for another organisation now. */
  onChange: (session: ChangedRow) => void
}

const touchMs = 60_000 // A minute more or less of idle time is worth a write less a request.
const sessionsMax = 100 // A user's; the one used longest ago makes room.

export function createSessions(db: DatabasePool, more: More): Sessions {
  const { idleMs, lifeMs, now, onChange } = more
  const idleSince = () => new Date(now().getTime() - idleMs)
  const changed = (rows: readonly ChangedRow[]) => rows.forEach(onChange)
  const note = ({ claims }: Caller, event: 'session-ended' | 'org-entered', subject: string) => {
    const { org, sub: user, channel } = claims
    return insertEvent(now(), { event, org, user, channel, subject })
  }
  return {
    async begin(transaction, session) {
      const token = newSecretText()
      const expiresAt = new Date(now().getTime() + lifeMs)
      await transaction.query(insertSession({ ...session, hash: hashOf(token) }, now(), expiresAt))
      changed(await transaction.any(deleteOverflow(session.user, sessionsMax)))
      return token
    },
    async find(hash, isDirect) {
      const row = await db.maybeOne(findSession(hash, now(), idleSince()))
      if (!row) return undefined
      if (now().getTime() - row.last_used_at > touchMs) await db.query(touchSession(hash, now()))
      const { id, org, user_id: sub, role } = row
      // This machine is the first organisation's: what it holds is not to reach another one.
      const isLocalOwner =
        row.is_local_owner && isDirect && org === firstOrg && sub === firstUser && role === 'owner'
      const channel = isLocalOwner ? 'owner-session' : 'session'
      return { claims: { kind: 'user', sub, org, role, channel }, session: id, key: null }
    },
    async list({ claims, session }) {
      const rows = await db.any(listSessions(claims.sub, now(), idleSince()))
      return rows.map((row) => toSession(row, session))
    },
    async end(hash) {
      changed(await db.any(deleteSession(hash)))
    },
    async endOne(caller, id) {
      const rows = await db.transaction(async (transaction) => {
        const found = await transaction.any(deleteSessionOf(caller.claims.sub, id))
        if (found.length === 0) throw fault('auth/session-absent', { detail: id })
        await transaction.query(note(caller, 'session-ended', id))
        return found
      })
      changed(rows)
    },
    async endOthers(caller) {
      const rows = await db.transaction(async (transaction) => {
        const found = await transaction.any(deleteOtherSessions(caller.claims.sub, caller.session))
        await transaction.query(note(caller, 'session-ended', `${found.length} others`))
        return found
      })
      changed(rows)
      return rows.length
    },
    async enter(caller, org) {
      const id = caller.session!
      const moved = await db.transaction(async (transaction) => {
        const rows = await transaction.any(moveSession(id, org))
        await transaction.query(note(caller, 'org-entered', org))
        return rows
      })
      changed(moved)
    },
    async sweep() {
      changed(await db.any(deleteOldSessions(now(), idleSince())))
    },
  }
}

const toSession = (row: SessionRow, current: string | null): Session => ({
  id: row.id,
  createdAt: new Date(row.created_at).toISOString(),
  lastUsedAt: new Date(row.last_used_at).toISOString(),
  expiresAt: new Date(row.expires_at).toISOString(),
  address: row.address,
  browser: row.browser,
  isCurrent: row.id === current,
})
