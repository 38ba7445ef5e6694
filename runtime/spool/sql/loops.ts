import { sql } from 'slonik'
import { z } from 'zod'
import type { Ending, Loop, NewLoop } from '../api.ts'

/** The stored loop, as parsed: durations are milliseconds already, so the wire's schema can't read it again. */
const Spec = z.custom<NewLoop>((value) => typeof value === 'object' && value !== null)
const States = z.enum(['queued', 'running', 'paused', 'ended'])

export const LoopRow = z.object({
  id: z.string(),
  org: z.string(),
  user_id: z.string(),
  name: z.string(),
  spec: Spec,
  retry_of: z.string().nullable(),
  is_trusted: z.boolean(),
  state: States,
  ending: z.custom<Ending | null>(),
  reason: z.string().nullable(),
  base: z.string().nullable(),
  failures: z.int(),
  branch: z.string().nullable(),
  bundle: z.string().nullable(),
  cancelled_at: z.number().nullable(),
  lease_fence: z.number(),
  created_at: z.number(),
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  passes: z.number(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  output_tokens: z.number(),
  cost_nano_usd: z.number(),
})
export type LoopRow = z.infer<typeof LoopRow>

const columns = sql.fragment`
  l.id, l.org, l.user_id, l.name, l.spec, l.retry_of, l.is_trusted, l.state, l.ending, l.reason, l.base, l.failures, l.branch,
  l.bundle, l.cancelled_at, l.lease_fence, l.created_at, l.started_at, l.ended_at,
  settled.passes, spent.input_tokens, spent.cached_tokens, spent.output_tokens, spent.cost_nano_usd`

// Counted from the rows at each reading: a counter of its own could be raised twice.
const counts = sql.fragment`
  cross join lateral (
    select count(*)::int as passes from spool.passes where loop = l.id and phase = 'settled') settled
  cross join lateral (
    select coalesce(sum(input_tokens), 0) as input_tokens, coalesce(sum(cached_tokens), 0) as cached_tokens,
      coalesce(sum(output_tokens), 0) as output_tokens, coalesce(sum(cost_nano_usd), 0) as cost_nano_usd
    from spool.attempts where loop = l.id) spent`

export type LoopToStore = {
  id: string
  org: string
  user: string
  spec: NewLoop
  retryOf: string | null
  isTrusted: boolean
}

export const insertLoop = ({ id, org, user, spec, retryOf, isTrusted }: LoopToStore) =>
  sql.unsafe`
    insert into spool.loops (id, org, user_id, name, spec, retry_of, is_trusted)
    values (${id}, ${org}, ${user}, ${spec.name}, ${JSON.stringify(spec)}::jsonb, ${retryOf}, ${isTrusted})`

/** For people: an organisation sees its own loops alone. */
export const findLoop = (org: string, id: string) =>
  sql.type(LoopRow)`
    select ${columns} from spool.loops l ${counts} where l.id = ${id} and l.org = ${org}`

/** For a runner, which has the loop's lease. */
export const readLoop = (id: string) =>
  sql.type(LoopRow)`select ${columns} from spool.loops l ${counts} where l.id = ${id}`

export type Listing = {
  org: string
  state: Loop['state'] | null
  cursor: string | null
  limit: number
}

/** Newest first, from behind the cursor on. */
export const listLoops = ({ org, state, cursor, limit }: Listing) =>
  sql.type(LoopRow)`
    select ${columns} from spool.loops l ${counts}
    where l.org = ${org}
      and (${state}::text is null or l.state = ${state})
      and (${cursor}::text is null or (l.created_at, l.id) <
        (select created_at, id from spool.loops where id = ${cursor} and org = ${org}))
    order by l.created_at desc, l.id desc limit ${limit}`

/** Asks for the end. What runs sees it with its next heartbeat; what waits is taken up at once for it. */
export const cancelLoop = (org: string, id: string) =>
  sql.unsafe`
    update spool.loops set cancelled_at = now(), ready_at = least(ready_at, now())
    where id = ${id} and org = ${org} and state <> 'ended' and cancelled_at is null`

/** Of these ids, the ones whose repository nobody needs any more. */
export const findEnded = (ids: readonly string[]) =>
  sql.type(z.object({ id: z.string() }))`
    select given.id from unnest(${sql.array(ids, 'text')}) as given (id)
    left join spool.loops l on l.id = given.id
    where l.id is null or l.state = 'ended'`
