// What listeners are told of: which loops of an organisation changed, and what they are now.
import { sql } from 'slonik'
import { z } from 'zod'
import type { EventBody } from './events.ts'
import { counts, SummaryRow, summaryColumns } from './loops.ts'

/** A loop, which of its changes, and its newest event. */
const Mark = z.object({
  id: z.string(),
  change: z.number(),
  event_seq: z.number(),
  is_ended: z.boolean(),
})
export type Mark = z.infer<typeof Mark>

export const readClock = () =>
  sql.type(z.object({ at: z.number() }))`select clock_timestamp() as at`

const after = (ms: number) =>
  sql.fragment`changed_at > to_timestamp(${ms / 1_000}::double precision)`

/** Where each loop stands whose next event is not its first: what can change still, and what changed since. */
export const readMarks = (org: string, since: number) =>
  sql.type(Mark)`
    select id, change, event_seq, state = 'ended' as is_ended from spool.loops
    where org = ${org} and event_seq > 0 and (state <> 'ended' or ${after(since)})`

/** `since` is the database's time, in ms. A write is seen when it is committed, so `since` must reach back behind it. */
export const findChanged = (org: string, since: number, limit: number) =>
  sql.type(Mark)`
    select id, change, event_seq, state = 'ended' as is_ended from spool.loops
    where org = ${org} and ${after(since)} limit ${limit}`

const LiveRow = SummaryRow.extend({ change: z.number() })
export type LiveRow = z.infer<typeof LiveRow>

export const readSummaries = (ids: readonly string[]) =>
  sql.type(LiveRow)`
    select ${summaryColumns}, l.change from spool.loops l ${counts}
    where l.id = any(${sql.array(ids, 'text')}) order by l.changed_at`

const Event = z.object({
  loop: z.string(),
  name: z.string(),
  org: z.string(),
  user_id: z.string(),
  repository: z.string(),
  seq: z.number(),
  at: z.number(),
  body: z.custom<EventBody>(),
})
export type LiveEventRow = z.infer<typeof Event>

/** Events of several loops, each from behind its own number on, in their order. */
export const readNews = (known: readonly { id: string; after: number }[], limit: number) =>
  sql.type(Event)`
    select e.loop, l.name, l.org, l.user_id, l.repository, e.seq, e.at, e.body
    from unnest(${sql.array(
      known.map(({ id }) => id),
      'text',
    )}, ${sql.array(
      known.map(({ after }) => after),
      'int8',
    )}) as known (id, after)
    join spool.loops l on l.id = known.id
    join spool.events e on e.loop = known.id and e.seq > known.after
    order by e.loop, e.seq limit ${limit}`
