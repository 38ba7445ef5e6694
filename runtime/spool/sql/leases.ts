import { sql } from 'slonik'
import { z } from 'zod'

const Claimed = z.object({ id: z.string(), org: z.string(), fence: z.number() })
const Held = z.object({ cancelled: z.boolean() })

/** Where a loop goes that nobody runs: into the queue, or, where somebody paused it, to rest with its clock stopped. */
const stopped = sql.fragment`
  held_from = case when held_at is null then null else coalesce(held_from, now()) end`
const waiting = sql.fragment`
  state = case when held_at is null then 'queued' else 'paused' end, ${stopped}`

export type Claim = {
  owner: string
  leaseMs: number
  /** Loops that this process runs already: its other leases are left over from an earlier life. */
  held: readonly string[]
  /** With every slot taken, only what was cancelled is taken up: its end takes no work. */
  only: 'any' | 'cancelled'
}

/**
 * One loop for this owner: of the organisation with the fewest leased loops, the one that is ready longest.
 * Takers at the same time get different loops: rows are skip-locked, and the fence goes up with each lease.
 * What somebody paused is left alone, except for its end, and where a runner that died left a pass of it behind.
 */
export const claimLoop = ({ owner, leaseMs, held, only }: Claim) =>
  sql.type(Claimed)`
    update spool.loops set state = 'running', reason = null, lease_owner = ${owner},
      lease_until = now() + ${leaseMs} * interval '1 millisecond',
      lease_fence = lease_fence + 1, started_at = coalesce(started_at, now())
    where id = (
      select l.id from spool.loops l
      left join (
        select org, count(*) as leased from spool.loops
        where state = 'running' and lease_until > now() group by org) busy on busy.org = l.org
      where l.state <> 'ended' and l.ready_at <= now()
        and (l.lease_owner is null or l.lease_until <= now() or l.lease_owner = ${owner})
        and l.id <> all(${sql.array(held, 'text')})
        and (l.held_at is null or l.cancelled_at is not null or l.state = 'running')
        and (${only} = 'any' or l.cancelled_at is not null)
      order by coalesce(busy.leased, 0), l.ready_at, l.created_at, l.id
      limit 1 for update of l skip locked)
    returning id, org, lease_fence as fence`

export type Lease = { id: string; owner: string; fence: number }

/** No row: the lease is somebody else's, or nobody's. */
export const renewLease = ({ id, owner, fence }: Lease, leaseMs: number) =>
  sql.type(Held)`
    update spool.loops set lease_until = now() + ${leaseMs} * interval '1 millisecond'
    where id = ${id} and lease_owner = ${owner} and lease_fence = ${fence}
    returning cancelled_at is not null as cancelled`

/** Locks the loop's row for a transaction of its holder, so that no claim comes between its check and its writes. */
export const holdLease = ({ id, owner, fence }: Lease) =>
  sql.type(Held)`
    select cancelled_at is not null as cancelled from spool.loops
    where id = ${id} and lease_owner = ${owner} and lease_fence = ${fence} for update`

/** As it was, for another runner; nothing is counted. */
export const returnLoop = ({ id, owner, fence }: Lease) =>
  sql.unsafe`
    update spool.loops set ${waiting}, lease_owner = null, lease_until = null
    where id = ${id} and lease_owner = ${owner} and lease_fence = ${fence}`

// What follows runs inside a transaction that holds the lease.

/** True where somebody paused it: nothing of it may start. */
export const readHold = (id: string) =>
  sql.type(z.object({ is_held: z.boolean() }))`
    select held_at is not null and cancelled_at is null as is_held from spool.loops where id = ${id}`

/** Back into the queue. `ready_at` stays, so an older loop goes on before a younger one starts. */
export const releaseLoop = (id: string) =>
  sql.unsafe`
    update spool.loops set ${waiting}, failures = 0, lease_owner = null, lease_until = null where id = ${id}`

export const pauseLoop = (id: string, waitMs: number, reason: string, failures: number) =>
  sql.type(z.object({ until: z.number() }))`
    update spool.loops set state = 'paused', ${stopped}, reason = ${reason}, failures = ${failures},
      ready_at = case when cancelled_at is null
        then now() + ${waitMs} * interval '1 millisecond' else now() end,
      lease_owner = null, lease_until = null
    where id = ${id} returning ready_at as until`

export type End = { ending: string; reason: string; branch: string | null; bundle: string | null }

export const endLoop = (id: string, { ending, reason, branch, bundle }: End) =>
  sql.unsafe`
    update spool.loops set state = 'ended', ending = ${ending}, reason = ${reason}, branch = ${branch},
      bundle = ${bundle}, ended_at = now(), lease_owner = null, lease_until = null,
      held_at = null, held_by = null, held_from = null
    where id = ${id}`

export const setBase = (id: string, base: string) =>
  sql.type(z.object({ id: z.string() }))`
    update spool.loops set base = ${base} where id = ${id} and base is null returning id`
