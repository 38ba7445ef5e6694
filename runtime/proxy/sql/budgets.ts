import { sql } from 'slonik'
import { z } from 'zod'
import { budgetLevels, budgetUnits, budgetWindows } from '../api.ts'
import type { Budget } from '../budgets/budget.ts'

const Row = z.object({
  id: z.number(),
  org: z.string(),
  name: z.string(),
  level: z.enum(budgetLevels),
  subject: z.string().nullable(),
  model: z.string().nullable(),
  unit: z.enum(budgetUnits),
  amount: z.number(),
  window: z.enum(budgetWindows),
  zone: z.string(),
  clip: z.enum(['off', 'allow']),
  clip_tokens_min: z.number(),
  enforce: z.enum(['refuse', 'observe']),
  enabled: z.boolean(),
  raise_amount: z.number().nullable(),
  raise_until: z.number().nullable(),
  made_by: z.string(),
  created_at: z.number(),
  removed_at: z.number().nullable(),
  revision: z.number(),
})
export type BudgetRow = z.infer<typeof Row>

const columns = sql.fragment`
  id, org, name, level, subject, model, unit, amount, "window", zone, clip, clip_tokens_min, enforce, enabled,
  raise_amount, raise_until, made_by, created_at, removed_at, revision`

const Revision = z.object({ revision: z.number() })
/** To be called in the transaction of each change, first: it makes changes appear in the order of their revisions. */
export const nextRevision = () => sql.type(Revision)`
  update proxy.budget_revision set revision = revision + 1 returning revision`

export const listChanges = (after: number, rowsMax: number) => sql.type(Row)`
  select ${columns} from proxy.budgets where revision > ${after} order by revision limit ${rowsMax}`

export type NewRow = Omit<Budget, 'id' | 'enabled' | 'raise' | 'createdAtMs'>

/** Answers no row when the name is in use. */
export const insertBudget = (row: NewRow, now: Date, revision: number) => sql.type(Row)`
  insert into proxy.budgets
    (org, name, level, subject, model, unit, amount, "window", zone, clip, clip_tokens_min, enforce, enabled,
     made_by, created_at, revision)
  values (${row.org}, ${row.name}, ${row.level}, ${row.subject}, ${row.model}, ${row.unit}, ${row.amount},
    ${row.window}, ${row.zone}, ${row.clip}, ${row.clipTokensMin}, ${row.enforce}, true,
    ${row.madeBy}, ${sql.timestamp(now)}, ${revision})
  on conflict (org, name) where removed_at is null do nothing
  returning ${columns}`

const Count = z.object({ all: z.number(), same: z.number() })
/** How many the organisation has, and how many of them are for the same one. */
export const countBudgets = ({ org, level, subject }: Pick<Budget, 'org' | 'level' | 'subject'>) =>
  sql.type(Count)`
  select count(*) as all,
    count(*) filter (where level = ${level} and subject is not distinct from ${subject}) as same
  from proxy.budgets where org = ${org} and removed_at is null`

export const findBudget = (org: string, name: string) => sql.type(Row)`
  select ${columns} from proxy.budgets where org = ${org} and name = ${name} and removed_at is null`

export const lockBudget = (org: string, name: string) => sql.type(Row)`
  select ${columns} from proxy.budgets where org = ${org} and name = ${name} and removed_at is null
  for no key update`

export const listBudgets = (org: string, after: string, rowsMax: number) => sql.type(Row)`
  select ${columns} from proxy.budgets where org = ${org} and removed_at is null and name > ${after}
  order by name limit ${rowsMax}`

export type Changed = Pick<
  Budget,
  'amount' | 'clip' | 'clipTokensMin' | 'enforce' | 'enabled' | 'raise'
>

export const updateBudget = (id: number, changed: Changed, revision: number) => sql.type(Row)`
  update proxy.budgets set amount = ${changed.amount}, clip = ${changed.clip},
    clip_tokens_min = ${changed.clipTokensMin}, enforce = ${changed.enforce}, enabled = ${changed.enabled},
    raise_amount = ${changed.raise?.amount ?? null},
    raise_until = ${changed.raise ? sql.timestamp(new Date(changed.raise.untilMs)) : null},
    revision = ${revision}
  where id = ${id} returning ${columns}`

export const removeBudget = (id: number, now: Date, revision: number) => sql.unsafe`
  update proxy.budgets set removed_at = ${sql.timestamp(now)}, revision = ${revision} where id = ${id}`

const Epoch = z.object({ epoch: z.number() })
/** A new process in a holder's place. It waits for what the old one has under way. */
export const raiseEpoch = (holder: string) => sql.type(Epoch)`
  insert into proxy.budget_holders (holder, epoch) values (${holder}, 1)
  on conflict (holder) do update set epoch = budget_holders.epoch + 1 returning epoch`

/** Ends the leases of a holder's earlier processes: what they spent stays, the rest is free again. */
export const foldLeases = (holder: string, epoch: number) => sql.unsafe`
  with ended as (
    delete from proxy.budget_leases where holder = ${holder} and epoch < ${epoch} returning *
  ), sums as (
    select budget, window_start, max(window_end) as window_end, sum(spent) as spent from ended
    group by budget, window_start having sum(spent) > 0
  )
  insert into proxy.budget_leases (budget, window_start, holder, epoch, window_end, spent)
  select budget, window_start, '', 0, window_end, spent from sums order by budget, window_start
  on conflict (budget, window_start, holder, epoch)
    do update set spent = budget_leases.spent + excluded.spent`

const Lease = z.object({
  is_gone: z.boolean(),
  seq: z.number(),
  granted: z.number(),
  returned: z.number(),
  amount: z.number(),
  others_spent: z.number(),
  others_held: z.number(),
  room: z.number(),
})

/** Holds the epoch still for as long as the transaction runs; no row = another process took the holder's place. */
export const holdEpoch = (holder: string, epoch: number) => sql.type(Epoch)`
  select epoch from proxy.budget_holders where holder = ${holder} and epoch = ${epoch} for share`

/** In the order of the asks, which must be that of their budgets and windows: locks are taken in it. */
export const leaseBudgets = (asks: string, holder: string, epoch: number, now: Date) => sql.type(
  Lease,
)`
  select lease.* from json_to_recordset(${asks}::json)
    as ask (budget bigint, start bigint, "end" bigint, seq bigint, returned bigint, want bigint, least bigint)
  cross join lateral proxy.lease_budget(ask.budget, ask.start, ask."end", ${holder}, ${epoch}::bigint,
    ask.seq, ask.returned, ask.want, ask.least, ${sql.timestamp(now)}) as lease`

const Use = z.object({ spent: z.number(), held: z.number() })
export const sumUse = (budget: number, startS: number) => sql.type(Use)`
  select coalesce(sum(spent), 0)::bigint as spent,
    coalesce(sum(greatest(granted - returned - spent, 0)), 0)::bigint as held
  from proxy.budget_leases where budget = ${budget} and window_start = ${startS}`

// Far above every amount, and a thousandth of where a column overflows: shipping must not stop at a sum.
const spentMax = 9_000_000_000_000_000

/**
 * Books what calls came to, as JSON rows of budget, start, epoch and spent. What has no lease any more goes to what
 * earlier processes spent: nothing is lost. Leases are locked in one order, as leasing takes them.
 */
export const bookSpent = (holder: string, rows: string) => sql.unsafe`
  with spent as (
    select * from json_to_recordset(${rows}::json) as s (budget bigint, start bigint, epoch bigint, spent bigint)
  ), leased as materialized (
    select l.budget, l.window_start, l.epoch, s.spent from proxy.budget_leases l
    join spent s on s.budget = l.budget and s.start = l.window_start and s.epoch = l.epoch
    where l.holder = ${holder} order by l.budget, l.window_start, l.epoch for update of l
  ), booked as (
    update proxy.budget_leases l set spent = least(l.spent, ${spentMax}::bigint) + leased.spent from leased
    where l.holder = ${holder} and l.budget = leased.budget and l.window_start = leased.window_start
      and l.epoch = leased.epoch
    returning l.budget, l.window_start, l.epoch
  )
  insert into proxy.budget_leases (budget, window_start, holder, epoch, window_end, spent)
  select s.budget, s.start, '', 0, null, sum(s.spent) from spent s
  join proxy.budgets b on b.id = s.budget
  where not exists (select from leased
    where leased.budget = s.budget and leased.window_start = s.start and leased.epoch = s.epoch)
  group by s.budget, s.start
  order by s.budget, s.start
  on conflict (budget, window_start, holder, epoch)
    do update set spent = least(budget_leases.spent, ${spentMax}::bigint) + excluded.spent`

const longestS = 40 * 86_400 // Of all windows with an end, and more than a month.

/** Windows that are over, and budgets that every proxy has forgotten. */
export const purgeLeases = (beforeS: number) => sql.unsafe`
  delete from proxy.budget_leases where window_end < ${beforeS}
    or (window_end is null and window_start > 0 and window_start < ${beforeS - longestS})`
export const purgeBudgets = (before: Date) => sql.unsafe`
  delete from proxy.budgets where removed_at < ${sql.timestamp(before)}`
