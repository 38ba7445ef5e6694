import { sql } from 'slonik'
import { z } from 'zod'
import type { Level, NewSandbox } from '../api.ts'

const Probe = z.object({ name: z.string(), held: z.boolean(), detail: z.string() })
const StoredLevel = z.object({
  backend: z.enum(['bubblewrap', 'unshare', 'none']),
  limits: z.enum(['cgroup', 'rlimits']),
  probes: z.array(Probe),
})

const Row = z.object({
  id: z.string(),
  state: z.enum(['ready', 'ended']),
  org: z.string(),
  user_id: z.string(),
  purpose: z.enum(['agent', 'gates']),
  loop: z.string(),
  pass: z.number(),
  attempt: z.number(),
  was_warm: z.boolean(),
  level: StoredLevel,
  created_at: z.number(),
  ended_at: z.number().nullable(),
  end_reason: z.string().nullable(),
})
export type SandboxRow = z.infer<typeof Row>

const Leftover = z.object({
  id: z.string(),
  pid: z.number().nullable(),
  pid_started: z.string().nullable(),
  uid: z.number().nullable(),
  cgroups: z.array(z.string()),
})
export type Leftover = z.infer<typeof Leftover>

const columns = sql.fragment`
  id, state, org, user_id, purpose, loop, pass, attempt, was_warm, level,
  created_at, ended_at, end_reason`
const Nothing = z.object({})

/** Written before anything is made, so that whatever a crash leaves behind has a row. */
export const insertStarting = (row: {
  id: string
  uid: number | null
  cgroups: readonly string[]
  now: Date
  deadline: Date
}) => sql.type(Nothing)`
  insert into weaver.sandboxes (id, state, uid, cgroups, created_at, deadline)
  values (${row.id}, 'starting', ${row.uid}, ${sql.array(row.cgroups, 'text')},
    ${sql.timestamp(row.now)}, ${sql.timestamp(row.deadline)})`

export const setProcess = (id: string, pid: number, started: string) => sql.type(Nothing)`
  update weaver.sandboxes set pid = ${pid}, pid_started = ${started} where id = ${id}`

export const setWarm = (id: string, level: Level) => sql.type(Nothing)`
  update weaver.sandboxes set state = 'warm', was_warm = true, level = ${sql.jsonb(level)}
  where id = ${id} and state = 'starting'`

/** From here it serves somebody, and its life starts anew. No row when it ended meanwhile. */
export const setReady = (
  id: string,
  asked: NewSandbox,
  level: Level,
  { now, deadline }: { now: Date; deadline: Date },
) => sql.type(Row)`
  update weaver.sandboxes
  set state = 'ready', org = ${asked.org}, user_id = ${asked.user}, purpose = ${asked.purpose},
    loop = ${asked.loop}, pass = ${asked.pass}, attempt = ${asked.attempt},
    level = ${sql.jsonb(level)}, created_at = ${sql.timestamp(now)},
    deadline = ${sql.timestamp(deadline)}
  where id = ${id} and state in ('starting', 'warm')
  returning ${columns}`

/** The first reason stays. */
export const setEnded = (id: string, reason: string, now: Date) => sql.type(Nothing)`
  update weaver.sandboxes
  set state = 'ended', ended_at = ${sql.timestamp(now)}, end_reason = ${reason}
  where id = ${id} and state <> 'ended'`

export const findSandbox = (id: string) => sql.type(Row)`
  select ${columns} from weaver.sandboxes where id = ${id} and org is not null`

/**
 * Newest first. `org` null lists every organisation's; `cursor` is the last id of the page before.
 */
export const listSandboxes = (
  org: string | null,
  filter: {
    loop: string | null
    purpose: 'agent' | 'gates' | null
    state: 'ready' | 'ended' | null
    cursor: string | null
    max: number
  },
) => sql.type(Row)`
  select ${columns} from weaver.sandboxes
  where org is not null
    and (${org}::text is null or org = ${org})
    and (${filter.loop}::text is null or loop = ${filter.loop})
    and (${filter.purpose}::text is null or purpose = ${filter.purpose})
    and (${filter.state}::text is null or state = ${filter.state})
    and (${filter.cursor}::text is null or (created_at, id) <
      (select created_at, id from weaver.sandboxes where id = ${filter.cursor}))
  order by created_at desc, id desc limit ${filter.max}`

export const listOverdue = (now: Date, max: number) => sql.type(z.object({ id: z.string() }))`
  select id from weaver.sandboxes where state <> 'ended' and deadline <= ${sql.timestamp(now)}
  order by deadline limit ${max}`

export const listLeftovers = () => sql.type(Leftover)`
  select id, pid, pid_started, uid, cgroups from weaver.sandboxes where state <> 'ended'`

/**
 * Ended rows are a record for people; after a while nobody asks, and warm ones that nobody took say
 * nothing.
 */
export const forgetEnded = (before: Date, max: number) => sql.type(Nothing)`
  delete from weaver.sandboxes where id in (
    select id from weaver.sandboxes
    where state = 'ended' and (ended_at <= ${sql.timestamp(before)} or org is null) limit ${max})`
