import { sql } from 'slonik'
import { z } from 'zod'
import { Person } from './identities.ts'

export const insertSession = (session: {
  hash: string
  org: string
  user: string
  now: Date
  expiresAt: Date
}) =>
  sql.unsafe`
    insert into auth.sessions (token_hash, org, user_id, created_at, last_used_at, expires_at)
    values (${session.hash}, ${session.org}, ${session.user}, ${sql.timestamp(session.now)},
      ${sql.timestamp(session.now)}, ${sql.timestamp(session.expiresAt)})`

const Found = Person.extend({ last_used_at: z.number() })

/** @param idleSince A session not used since then is over. */
export const findSession = (hash: string, now: Date, idleSince: Date) =>
  sql.type(Found)`
    select org, user_id, role, last_used_at
    from auth.sessions join auth.memberships using (org, user_id)
    where token_hash = ${hash} and expires_at > ${sql.timestamp(now)}
      and last_used_at > ${sql.timestamp(idleSince)}`

export const touchSession = (hash: string, now: Date) =>
  sql.unsafe`
    update auth.sessions set last_used_at = ${sql.timestamp(now)} where token_hash = ${hash}`

export const deleteSession = (hash: string) =>
  sql.unsafe`delete from auth.sessions where token_hash = ${hash}`

export const deleteOldSessions = (now: Date, idleSince: Date) =>
  sql.unsafe`
    delete from auth.sessions
    where expires_at <= ${sql.timestamp(now)} or last_used_at <= ${sql.timestamp(idleSince)}`
