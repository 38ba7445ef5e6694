import { sql } from 'slonik'
import { z } from 'zod'
import { Person } from './identities.ts'

export type SessionToStore = {
  hash: string
  org: string
  user: string
  isLocalOwner: boolean
  address: string
  browser: string | null
}

export const insertSession = (session: SessionToStore, now: Date, expiresAt: Date) =>
  sql.unsafe`
    insert into auth.sessions (token_hash, org, user_id, is_local_owner, address, browser,
      created_at, last_used_at, expires_at)
    values (${session.hash}, ${session.org}, ${session.user}, ${session.isLocalOwner},
      ${session.address}, ${session.browser}, ${sql.timestamp(now)}, ${sql.timestamp(now)},
      ${sql.timestamp(expiresAt)})`

/** @param idleSince A session not used since then is over. */
const isOpen = (now: Date, idleSince: Date) =>
  sql.fragment`expires_at > ${sql.timestamp(now)} and last_used_at > ${sql.timestamp(idleSince)}`

const Found = Person.extend({
  id: z.string(),
  last_used_at: z.number(),
  is_local_owner: z.boolean(),
})

export const findSession = (hash: string, now: Date, idleSince: Date) =>
  sql.type(Found)`
    select id, org, user_id, role, last_used_at, is_local_owner
    from auth.sessions join auth.memberships using (org, user_id)
    where token_hash = ${hash} and ${isOpen(now, idleSince)}`

export const touchSession = (hash: string, now: Date) =>
  sql.unsafe`
    update auth.sessions set last_used_at = ${sql.timestamp(now)} where token_hash = ${hash}`

const Row = z.object({
  id: z.string(),
  created_at: z.number(),
  last_used_at: z.number(),
  expires_at: z.number(),
  address: z.string().nullable(),
  browser: z.string().nullable(),
})
export type SessionRow = z.infer<typeof Row>

export const listSessions = (user: string, now: Date, idleSince: Date) =>
  sql.type(Row)`
    select id, created_at, last_used_at, expires_at, address, browser from auth.sessions
    where user_id = ${user} and ${isOpen(now, idleSince)}
    order by last_used_at desc, id`

const Changed = z.object({ id: z.string(), token_hash: z.string() })
export type ChangedRow = z.infer<typeof Changed>

/** That the user belongs there is held by the foreign key. */
export const moveSession = (id: string, org: string) =>
  sql.type(Changed)`
    update auth.sessions set org = ${org} where id = ${id} returning id, token_hash`

export const deleteSession = (hash: string) =>
  sql.type(Changed)`delete from auth.sessions where token_hash = ${hash} returning id, token_hash`

export const deleteSessionOf = (user: string, id: string) =>
  sql.type(Changed)`
    delete from auth.sessions where user_id = ${user} and id = ${id} returning id, token_hash`

/** All of a user but one. */
export const deleteOtherSessions = (user: string, kept: string | null) =>
  sql.type(Changed)`
    delete from auth.sessions where user_id = ${user} and id is distinct from ${kept}
    returning id, token_hash`

/** Those that were used longest ago, beyond so many. */
export const deleteOverflow = (user: string, sessionsMax: number) =>
  sql.type(Changed)`
    delete from auth.sessions where id in (
      select id from auth.sessions where user_id = ${user}
      order by last_used_at desc, id offset ${sessionsMax})
    returning id, token_hash`

export const deleteOldSessions = (now: Date, idleSince: Date) =>
  sql.type(Changed)`
    delete from auth.sessions where not (${isOpen(now, idleSince)}) returning id, token_hash`
