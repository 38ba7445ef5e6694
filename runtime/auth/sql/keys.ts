import { sql } from 'slonik'
import { z } from 'zod'
import { Person } from './identities.ts'

const Row = z.object({
  id: z.string(),
  org: z.string(),
  user_id: z.string(),
  name: z.string(),
  team: z.string().nullable(),
  created_at: z.number(),
  expires_at: z.number().nullable(),
  last_used_at: z.number().nullable(),
  revoked_at: z.number().nullable(),
})
export type KeyRow = z.infer<typeof Row>

const columns = sql.fragment`id, org, user_id, name, team, created_at, expires_at, last_used_at, revoked_at`

const isLive = (now: Date) =>
  sql.fragment`revoked_at is null and (expires_at is null or expires_at > ${sql.timestamp(now)})`

type NewRow = {
  id: string
  org: string
  user: string
  name: string
  team: string | null
  hash: string
  now: Date
  expiresAt: Date | null
}

/** No row where the organisation has its most. Two makers at the same moment may pass it by one. */
export const insertKey = (key: NewRow, liveMax: number) =>
  sql.type(Row)`
    insert into auth.keys (id, org, user_id, name, team, hash, created_at, expires_at)
    select ${key.id}, ${key.org}, ${key.user}, ${key.name}, ${key.team}, ${key.hash}, ${sql.timestamp(key.now)},
      ${key.expiresAt ? sql.timestamp(key.expiresAt) : null}
    where (select count(*) from auth.keys where org = ${key.org} and ${isLive(key.now)}) < ${liveMax}
    returning ${columns}`

/** Of one user, or of all. */
export const listKeys = (org: string, user: string | null, rowsMax: number) =>
  sql.type(Row)`
    select ${columns} from auth.keys
    where org = ${org} and (${user}::text is null or user_id = ${user})
    order by revoked_at is not null, created_at desc, id limit ${rowsMax}`

export const findKey = (org: string, id: string) =>
  sql.type(Row)`select ${columns} from auth.keys where org = ${org} and id = ${id}`

export const revokeKey = (id: string, now: Date) =>
  sql.type(Row)`
    update auth.keys set revoked_at = coalesce(revoked_at, ${sql.timestamp(now)}) where id = ${id}
    returning ${columns}`

export const setKeyTeam = (org: string, id: string, team: string | null) =>
  sql.type(Row)`
    update auth.keys set team = ${team} where org = ${org} and id = ${id} returning ${columns}`

/** Ends it then, where it does not end before. No row for one that has ended. */
export const endKey = (org: string, id: string, at: Date, now: Date) =>
  sql.type(Row)`
    update auth.keys set expires_at = least(expires_at, ${sql.timestamp(at)})
    where org = ${org} and id = ${id} and ${isLive(now)} returning ${columns}`

const Holder = Person.extend({ id: z.string(), team: z.string().nullable() })

export const findHolder = (hash: string, now: Date) =>
  sql.type(Holder)`
    select id, org, user_id, role, team from auth.keys join auth.memberships using (org, user_id)
    where hash = ${hash} and ${isLive(now)}`

const Check = z.object({
  id: z.string(),
  hash: z.string(),
  org: z.string(),
  user_id: z.string(),
  team: z.string().nullable(),
  expires_at: z.number().nullable(),
})
export type CheckRow = z.infer<typeof Check>

export const listChecks = (now: Date) =>
  sql.type(Check)`
    select id, hash, org, user_id, team, expires_at
    from auth.keys join auth.memberships using (org, user_id)
    where ${isLive(now)}`

export const markUsed = (uses: ReadonlyMap<string, Date>) =>
  sql.unsafe`
    update auth.keys set last_used_at = greatest(last_used_at, used.at)
    from ${sql.unnest(
      Array.from(uses, ([id, at]) => [id, at.toISOString()]),
      ['text', 'timestamptz'],
    )} as used (id, at)
    where keys.id = used.id`
