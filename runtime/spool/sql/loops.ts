import { sql } from 'slonik'
import { z } from 'zod'
import type { Ending, NewLoop } from '../api.ts'

/** The stored loop, as parsed: durations are milliseconds already, so the wire's schema can't read it again. */
const Spec = z.custom<NewLoop>((value) => typeof value === 'object' && value !== null)
const Id = z.object({ id: z.string() })
const States = z.enum(['queued', 'running', 'paused', 'ended'])

/** What lists need: without the spec, which may hold a prompt of 200,000 characters. */
export const SummaryRow = z.object({
  id: z.string(),
  org: z.string(),
  user_id: z.string(),
  name: z.string(),
  retry_of: z.string().nullable(),
  state: States,
  ending: z.custom<Ending | null>(),
  reason: z.string().nullable(),
  branch: z.string().nullable(),
  bundle: z.string().nullable(),
  held_by: z.string().nullable(),
  created_at: z.number(),
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  repository: z.string(),
  ref: z.string(),
  agent: z.string(),
  model: z.string(),
  caps: z.custom<NewLoop['caps']>((value) => typeof value === 'object' && value !== null),
  passes: z.number(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  output_tokens: z.number(),
  cost_nano_usd: z.number(),
  open_pass: z.int().nullable(),
  open_phase: z.enum(['agent', 'gates']).nullable(),
  open_started_at: z.number().nullable(),
  open_items: z.int().nullable(),
})
export type SummaryRow = z.infer<typeof SummaryRow>

export const LoopRow = SummaryRow.extend({
  spec: Spec,
  team: z.string().nullable(),
  is_trusted: z.boolean(),
  base: z.string().nullable(),
  failures: z.int(),
  cancelled_at: z.number().nullable(),
  held_from: z.number().nullable(),
  held_ms: z.number(),
  lease_fence: z.number(),
})
export type LoopRow = z.infer<typeof LoopRow>

export const summaryColumns = sql.fragment`
  l.id, l.org, l.user_id, l.name, l.retry_of, l.state, l.ending, l.reason, l.branch, l.bundle, l.held_by,
  l.created_at, l.started_at, l.ended_at, l.repository, l.ref, l.agent, l.model, l.caps,
  l.settled_passes as passes,
  l.settled_input_tokens + coalesce(open.input_tokens, 0) as input_tokens,
  l.settled_cached_tokens + coalesce(open.cached_tokens, 0) as cached_tokens,
  l.settled_output_tokens + coalesce(open.output_tokens, 0) as output_tokens,
  l.settled_cost_nano_usd + coalesce(open.cost_nano_usd, 0) as cost_nano_usd,
  open.pass as open_pass, open.phase as open_phase, open.started_at as open_started_at, newest.open_items`

// Settled passes are summed up in the loop's row; of a loop there is one open pass at most.
export const counts = sql.fragment`
  left join lateral (
    select p.pass, p.phase, p.started_at, sum(a.input_tokens) as input_tokens, sum(a.cached_tokens) as cached_tokens,
      sum(a.output_tokens) as output_tokens, sum(a.cost_nano_usd) as cost_nano_usd
    from spool.passes p join spool.attempts a on a.loop = p.loop and a.pass = p.pass
    where p.loop = l.id and p.phase <> 'settled' group by p.pass, p.phase, p.started_at) open on true
  left join lateral (
    select open_items from spool.passes where loop = l.id and sha is not null
    order by pass desc limit 1) newest on true`

const columns = sql.fragment`
  ${summaryColumns}, l.spec, l.team, l.is_trusted, l.base, l.failures, l.cancelled_at, l.held_from, l.held_ms, l.lease_fence`

export type LoopToStore = {
  id: string
  org: string
  user: string
  team?: string | undefined
  spec: NewLoop
  retryOf: string | null
  isTrusted: boolean
}

export const insertLoop = ({ id, org, user, team, spec, retryOf, isTrusted }: LoopToStore) =>
  sql.unsafe`
    insert into spool.loops (id, org, user_id, team, name, spec, retry_of, is_trusted)
    values (${id}, ${org}, ${user}, ${team ?? null}, ${spec.name}, ${JSON.stringify(spec)}::jsonb, ${retryOf}, ${isTrusted})`

/** For people: an organisation sees its own loops alone. */
export const findLoop = (org: string, id: string) =>
  sql.type(LoopRow)`
    select ${columns} from spool.loops l ${counts} where l.id = ${id} and l.org = ${org}`

/** For a runner, which has the loop's lease. */
export const readLoop = (id: string) =>
  sql.type(LoopRow)`select ${columns} from spool.loops l ${counts} where l.id = ${id}`

/** Asks for the end. What runs sees it with its next heartbeat; what waits is taken up at once for it. */
export const cancelLoop = (org: string, id: string) =>
  sql.unsafe`
    update spool.loops set cancelled_at = now(), ready_at = least(ready_at, now())
    where id = ${id} and org = ${org} and state <> 'ended' and cancelled_at is null`

/** Nothing more starts. The clock of a loop that waits stops now; of one that runs, with the end of its pass. */
export const holdLoop = (org: string, id: string, user: string) =>
  sql.type(Id)`
    update spool.loops set held_at = now(), held_by = ${user},
      held_from = case when state = 'running' then null else now() end,
      state = case when state = 'running' then state else 'paused' end
    where id = ${id} and org = ${org} and state <> 'ended' and held_at is null returning id`

/** A loop that waited for something else too goes on waiting for that. */
export const resumeLoop = (org: string, id: string) =>
  sql.type(Id)`
    update spool.loops set held_at = null, held_by = null, held_from = null,
      held_ms = held_ms + case when held_from is null or started_at is null then 0
        else extract(epoch from now() - held_from) * 1000 end,
      reason = case when state = 'paused' and ready_at <= now() then null else reason end,
      state = case when state = 'paused' and ready_at <= now() then 'queued' else state end
    where id = ${id} and org = ${org} and state <> 'ended' and held_at is not null returning id`

/** Of these ids, the ones whose repository nobody needs any more. */
export const findEnded = (ids: readonly string[]) =>
  sql.type(Id)`
    select given.id from unnest(${sql.array(ids, 'text')}) as given (id)
    left join spool.loops l on l.id = given.id
    where l.id is null or l.state = 'ended'`
