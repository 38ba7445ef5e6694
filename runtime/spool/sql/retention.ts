// What of loops that ended long ago is still kept, and how it goes. The loop's own row stays, with its sums.
import { sql } from 'slonik'
import { z } from 'zod'

const Id = z.object({ id: z.string() })

/** Locked for the transaction that takes their passes and events away. */
export const takeOld = (keepMs: number, limit: number) =>
  sql.type(Id)`
    select id from spool.loops
    where state = 'ended' and pruned_at is null and ended_at < now() - ${keepMs} * interval '1 millisecond'
    order by ended_at limit ${limit} for update skip locked`

/** In an order that leaves no row without what it belongs to. */
export const prune = (ids: readonly string[]) =>
  [
    sql.fragment`delete from spool.recordings where loop`,
    sql.fragment`delete from spool.changes where loop`,
    sql.fragment`delete from spool.attempts where loop`,
    sql.fragment`delete from spool.passes where loop`,
    sql.fragment`delete from spool.events where loop`,
    sql.fragment`update spool.loops set pruned_at = now(), bundle = null where id`,
  ].map((statement) => sql.unsafe`${statement} = any(${sql.array(ids, 'text')})`)

/** Of these ids, the ones whose result nobody can ask for any more. */
export const findPruned = (ids: readonly string[]) =>
  sql.type(Id)`
    select id from spool.loops where id = any(${sql.array(ids, 'text')}) and pruned_at is not null`
