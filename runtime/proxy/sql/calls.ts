import { sql } from 'slonik'
import { z } from 'zod'
import { serverTools, wires } from '../api.ts'
import type { Tags } from '../policy/tags.ts'
import type { Position } from '../segments.ts'

/**
 * Takes lines of the ledger, as JSON. An end replaces a beginning; nothing replaces an end, so a line that
 * comes twice changes nothing.
 */
export const upsertCalls = (rows: string) => sql.unsafe`
  insert into proxy.calls
  select * from json_populate_recordset(null::proxy.calls, ${rows}::json)
  on conflict (id) do update set
    state = excluded.state, status = excluded.status, provider = excluded.provider,
    input_tokens = excluded.input_tokens, cached_tokens = excluded.cached_tokens,
    cache_write_tokens = excluded.cache_write_tokens, output_tokens = excluded.output_tokens,
    cache_write_1h_tokens = excluded.cache_write_1h_tokens, reasoning_tokens = excluded.reasoning_tokens,
    server_tool_calls = excluded.server_tool_calls, service_tier = excluded.service_tier,
    cost_nano_usd = excluded.cost_nano_usd, is_priced = excluded.is_priced,
    stop_reason = excluded.stop_reason, tool_calls = excluded.tool_calls,
    ended_at = excluded.ended_at, first_byte_ms = excluded.first_byte_ms,
    error = excluded.error, code = excluded.code, text = excluded.text,
    retry_after_s = excluded.retry_after_s, intake_ms = excluded.intake_ms,
    sent_ms = excluded.sent_ms, last_byte_ms = excluded.last_byte_ms
  where calls.state = 'begun' and excluded.state <> 'begun'`

const ShippedRow = z.object({ segment: z.number(), byte_offset: z.number() })
export const findShipped = (journal: string) =>
  sql.type(ShippedRow)`select segment, byte_offset from proxy.shipped where journal = ${journal}`

/** From where it is known to be, null = nowhere yet; no row = it is somewhere else by now, so nothing may be added to sums. */
export const moveShipped = (journal: string, from: Position | null, to: Position) => sql.type(
  ShippedRow,
)`
  insert into proxy.shipped (journal, segment, byte_offset) values (${journal}, ${to.segment}, ${to.offset})
  on conflict (journal) do update set segment = excluded.segment, byte_offset = excluded.byte_offset
    where shipped.segment = ${from?.segment ?? -1} and shipped.byte_offset = ${from?.offset ?? -1}
  returning segment, byte_offset`

const toolSums = sql.join(
  serverTools.flatMap((tool) => [
    sql.fragment`${tool}::text`,
    sql.fragment`coalesce(sum((server_tool_calls->>${tool}::text)::bigint), 0)`,
  ]),
  sql.fragment`, `,
)
const sums = sql.fragment`
  coalesce(sum(input_tokens), 0)::bigint as input_tokens,
  coalesce(sum(cached_tokens), 0)::bigint as cached_tokens,
  coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens,
  coalesce(sum(output_tokens), 0)::bigint as output_tokens,
  coalesce(sum(cache_write_1h_tokens), 0)::bigint as cache_write_1h_tokens,
  coalesce(sum(reasoning_tokens), 0)::bigint as reasoning_tokens,
  jsonb_build_object(${toolSums}) as server_tool_calls,
  coalesce(sum(cost_nano_usd), 0)::bigint as cost_nano_usd`
const Sums = z.object({
  input_tokens: z.number(),
  cached_tokens: z.number(),
  cache_write_tokens: z.number(),
  output_tokens: z.number(),
  /** Null = told by a version that did not know of it. */
  cache_write_1h_tokens: z.number().nullable(),
  reasoning_tokens: z.number().nullable(),
  server_tool_calls: z.record(z.string(), z.number()).nullable(),
  cost_nano_usd: z.number(),
})
export type Sums = z.infer<typeof Sums>

const SandboxSums = Sums.extend({ calls: z.number(), last_at: z.number().nullable() })
export const sumSandbox = (sandbox: string) => sql.type(SandboxSums)`
  select ${sums}, count(*) filter (where state <> 'denied') as calls,
    max(greatest(began_at, ended_at)) as last_at
  from proxy.calls where sandbox = ${sandbox}`

export const sumLoop = (loop: string) =>
  sql.type(Sums)`select ${sums} from proxy.calls where loop = ${loop}`

const State = z.enum(['begun', 'settled', 'estimated', 'denied'])
const LastRow = z.object({
  state: State,
  status: z.number().nullable(),
  stop_reason: z.string().nullable(),
  tool_calls: z.number(),
  text: z.string(),
  error: z.string().nullable(),
  code: z.string().nullable(),
  retry_after_s: z.number().nullable(),
})
export type LastRow = z.infer<typeof LastRow>

const lastColumns = sql.fragment`state, status, stop_reason, tool_calls, text, error, code, retry_after_s`

export const findLastEnded = (sandbox: string) => sql.type(LastRow)`
  select ${lastColumns} from proxy.calls where sandbox = ${sandbox} and ended_at is not null
  order by began_at desc, ended_at desc limit 1`

export const findLastDenied = (sandbox: string) => sql.type(LastRow)`
  select ${lastColumns} from proxy.calls where sandbox = ${sandbox} and state = 'denied'
  order by began_at desc limit 1`

const SpentRow = z.object({ sandbox: z.string(), tokens: z.number(), nano_usd: z.number() })
/** What sandboxes have spent that may still be at work; the newest ones when there are many. */
export const sumSpent = (since: Date, rowsMax: number) => sql.type(SpentRow)`
  select sandbox, sum(input_tokens + output_tokens)::bigint as tokens, sum(cost_nano_usd)::bigint as nano_usd
  from proxy.calls where sandbox is not null and began_at > ${sql.timestamp(since)}
  group by sandbox order by max(began_at) desc limit ${rowsMax}`

const UsageSums = Sums.extend({
  day: z.string(),
  provider: z.string().nullable(),
  model: z.string(),
  loop: z.string().nullable(),
  team: z.string().nullable(),
  user: z.string().nullable(),
  key: z.string().nullable(),
  end_user: z.string().nullable(),
  tag: z.string().nullable(),
  is_rehearsal: z.boolean(),
  calls: z.number(),
  unpriced_calls: z.number(),
  estimated_calls: z.number(),
})
export type UsageSums = z.infer<typeof UsageSums>

export type UsageWanted = {
  org: string
  since: Date
  until: Date
  loop?: string | undefined
  user?: string | undefined
  key?: string | undefined
  model?: string | undefined
  team?: string | undefined
  endUser?: string | undefined
  tags?: Tags | undefined
  /** What rows are told apart by, beside day, provider, model and loop. */
  by: readonly ('team' | 'user' | 'key' | 'end_user')[]
  /** The tag whose values rows are told apart by. */
  byTag?: string | undefined
}

const saidConditions = ({ endUser, tags }: Pick<UsageWanted, 'endUser' | 'tags'>) => [
  ...(endUser === undefined ? [] : [sql.fragment`end_user = ${endUser}`]),
  ...(tags === undefined ? [] : [sql.fragment`tags @> ${sql.jsonb(tags)}`]),
]

export function sumUsage(wanted: UsageWanted, rowsMax: number) {
  const { org, since, until, loop, user, key, model, team, endUser, tags, by, byTag } = wanted
  const told = (name: UsageWanted['by'][number]) =>
    by.includes(name) ? sql.fragment`${sql.identifier([name])}` : sql.fragment`null::text`
  const tag = byTag === undefined ? sql.fragment`null::text` : sql.fragment`tags->>${byTag}::text`
  const conditions = [
    sql.fragment`org = ${org}`,
    sql.fragment`began_at >= ${sql.timestamp(since)}`,
    sql.fragment`began_at < ${sql.timestamp(until)}`,
    sql.fragment`state in ('settled', 'estimated')`,
    ...(loop === undefined ? [] : [sql.fragment`loop = ${loop}`]),
    ...(user === undefined ? [] : [sql.fragment`"user" = ${user}`]),
    ...(key === undefined ? [] : [sql.fragment`key = ${key}`]),
    ...(model === undefined ? [] : [sql.fragment`model = ${model}`]),
    ...(team === undefined ? [] : [sql.fragment`team = ${team}`]),
    ...saidConditions({ endUser, tags }),
  ]
  return sql.type(UsageSums)`
    select to_char(began_at at time zone 'utc', 'YYYY-MM-DD') as day, provider, model, loop, is_rehearsal,
      ${told('team')} as team, ${told('user')} as "user", ${told('key')} as key,
      ${told('end_user')} as end_user, ${tag} as tag,
      ${sums}, count(*) as calls, count(*) filter (where not is_priced) as unpriced_calls,
      count(*) filter (where state = 'estimated') as estimated_calls
    from proxy.calls where ${sql.join(conditions, sql.fragment` and `)}
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 order by 1 desc, 2, 3, 4, 6, 7, 8, 9, 10 limit ${rowsMax}`
}

const CallRow = Sums.extend({
  id: z.string(),
  org: z.string(),
  loop: z.string().nullable(),
  pass: z.number().nullable(),
  attempt: z.number().nullable(),
  sandbox: z.string().nullable(),
  key: z.string().nullable(),
  team: z.string().nullable(),
  tags: z.record(z.string(), z.string()).nullable(),
  end_user: z.string().nullable(),
  provider: z.string().nullable(),
  model: z.string(),
  wire: z.enum(wires),
  is_rehearsal: z.boolean(),
  state: State,
  status: z.number().nullable(),
  service_tier: z.string().nullable(),
  is_priced: z.boolean(),
  stop_reason: z.string().nullable(),
  tool_calls: z.number(),
  began_at: z.number(),
  ended_at: z.number().nullable(),
  first_byte_ms: z.number().nullable(),
  intake_ms: z.number().nullable(),
  sent_ms: z.number().nullable(),
  last_byte_ms: z.number().nullable(),
  error: z.string().nullable(),
})
export type CallRow = z.infer<typeof CallRow>

const callColumns = sql.fragment`
  id, org, loop, pass, attempt, sandbox, key, team, tags, end_user, provider, model, wire, is_rehearsal, state, status,
  input_tokens, cached_tokens, cache_write_tokens, output_tokens, cache_write_1h_tokens, reasoning_tokens,
  server_tool_calls, service_tier, cost_nano_usd, is_priced, stop_reason, tool_calls, began_at, ended_at,
  first_byte_ms, intake_ms, sent_ms, last_byte_ms, error`

export const findCall = (org: string, id: string) => sql.type(CallRow)`
  select ${callColumns} from proxy.calls where org = ${org} and id = ${id}`

type Wanted = {
  org: string
  loop?: string | undefined
  pass?: number | undefined
  attempt?: number | undefined
  sandbox?: string | undefined
  model?: string | undefined
  team?: string | undefined
  endUser?: string | undefined
  tags?: Tags | undefined
}

/** Newest first, from behind a place on. Only what is asked for stands in the condition, so that an index serves it. */
export function listCalls(
  wanted: Wanted,
  place: { beganAt: Date; id: string } | null,
  rowsMax: number,
) {
  const { org, loop, pass, attempt, sandbox, model, team, endUser, tags } = wanted
  const conditions = [
    sql.fragment`org = ${org}`,
    ...(loop === undefined ? [] : [sql.fragment`loop = ${loop}`]),
    ...(pass === undefined ? [] : [sql.fragment`pass = ${pass}`]),
    ...(attempt === undefined ? [] : [sql.fragment`attempt = ${attempt}`]),
    ...(sandbox === undefined ? [] : [sql.fragment`sandbox = ${sandbox}`]),
    ...(model === undefined ? [] : [sql.fragment`model = ${model}`]),
    ...(team === undefined ? [] : [sql.fragment`team = ${team}`]),
    ...saidConditions({ endUser, tags }),
    ...(place === null
      ? []
      : [sql.fragment`(began_at, id) < (${sql.timestamp(place.beganAt)}, ${place.id})`]),
  ]
  return sql.type(CallRow)`
    select ${callColumns}
    from proxy.calls where ${sql.join(conditions, sql.fragment` and `)}
    order by began_at desc, id desc limit ${rowsMax}`
}
