import type { IncomingMessage } from 'node:http'
import type { CommonQueryMethods, DatabasePool } from 'slonik'
import type { UserClaims } from '#kernel/tokens.ts'
import { hashOf, newSecretText } from './secret-text.ts'
import {
  deleteOldSessions,
  deleteSession,
  findSession,
  insertSession,
  touchSession,
} from './sql/sessions.ts'

// | state | enters when    | leaves when                                                             |
// | ----- | -------------- | ----------------------------------------------------------------------- |
// | open  | a link is used | signed out, unused for `idleMs`, `lifeMs` after it began, membership over |
// | over  | it left open   | never; its row goes at once or with the next sweep                      |

export type Sessions = {
  /** Answers the cookie's value. */
  begin(db: CommonQueryMethods, org: string, user: string): Promise<string>
  find(hash: string): Promise<UserClaims | undefined>
  end(hash: string): Promise<void>
  sweep(): Promise<void>
}

type Times = { idleMs: number; lifeMs: number; now: () => Date }

const touchMs = 60_000 // A minute more or less of idle time is worth a write less a request.

export function createSessions(db: DatabasePool, { idleMs, lifeMs, now }: Times): Sessions {
  const idleSince = () => new Date(now().getTime() - idleMs)
  return {
    async begin(transaction, org, user) {
      const token = newSecretText()
      const expiresAt = new Date(now().getTime() + lifeMs)
      await transaction.query(
        insertSession({ hash: hashOf(token), org, user, now: now(), expiresAt }),
      )
      return token
    },
    async find(hash) {
      const row = await db.maybeOne(findSession(hash, now(), idleSince()))
      if (!row) return undefined
      if (now().getTime() - row.last_used_at > touchMs) await db.query(touchSession(hash, now()))
      const { org, user_id: sub, role } = row
      return { kind: 'user', sub, org, role, channel: 'session' }
    },
    async end(hash) {
      await db.query(deleteSession(hash))
    },
    async sweep() {
      await db.query(deleteOldSessions(now(), idleSince()))
    },
  }
}

const cookieName = 'treadle_session'

/** The session's token, where the request has exactly one. */
export function readCookie(request: IncomingMessage): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(/; */)
  const found = pairs.filter((pair) => pair.startsWith(`${cookieName}=`))
  return found.length === 1 ? found[0]!.slice(cookieName.length + 1) : undefined
}

/**
 * Lax, not Strict: with Strict a link to a loop, in a chat or a pull request, would open as if signed out. What Lax
 * lets through is a navigation, which changes nothing here; whatever changes something has its origin checked.
 */
export function toCookie(token: string, lifeMs: number, origin: string): string {
  const secure = origin.startsWith('https:') ? '; Secure' : ''
  const seconds = Math.floor(lifeMs / 1_000)
  return `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`
}
