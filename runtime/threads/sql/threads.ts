import { sql } from 'slonik'
import { z } from 'zod'
import type { NewThread, Plan } from '../place.ts'
import { inScope, type Scope } from './search.ts'

const Row = z.object({
  id: z.string(),
  org: z.string(),
  user: z.string(),
  loop: z.string().nullable(),
  pass: z.number().nullable(),
  attempt: z.number().nullable(),
  model: z.string(),
  is_rehearsal: z.boolean(),
  title: z.string(),
  messages: z.number(),
  created_at: z.number(),
  updated_at: z.number(),
})
export type ThreadRow = z.infer<typeof Row>

const Count = z.object({ session: z.string(), count: z.number() })
const Turn = z.object({ call: z.string(), thread: z.string().nullable() })
const Nothing = z.object({})
const columns = sql.fragment`
  id, org, "user", loop, pass, attempt, model, is_rehearsal, title, messages, created_at, updated_at`

export const findThread = (org: string, id: string) =>
  sql.type(Row)`select ${columns} from threads.threads where org = ${org} and id = ${id}`

export const findThreads = (ids: string[]) =>
  sql.type(Row)`select ${columns} from threads.threads where id = any(${sql.array(ids, 'text')})`

export type ListOptions = Scope & {
  loop: string | null
  pass: number | null
  after: string | null
  limit: number
}

/** Newest first. `after` is a thread of the same organisation; an unknown one ends the list. */
export const listThreads = ({ loop, pass, after, limit, ...scope }: ListOptions) =>
  sql.type(Row)`
    select ${columns} from threads.threads t
    where ${inScope(scope)}
      ${loop === null ? sql.fragment`` : sql.fragment`and loop = ${loop}`}
      ${pass === null ? sql.fragment`` : sql.fragment`and pass = ${pass}`}
      ${
        after === null
          ? sql.fragment``
          : sql.fragment`and (created_at, id) <
              (select created_at, id from threads.threads where org = ${scope.org} and id = ${after})`
      }
    order by created_at desc, id desc limit ${limit}`

/** Turns of one session are placed one after the other; the locks end with the transaction. `sessions` are sorted. */
export const lockSessions = (sessions: readonly string[]) =>
  sql.type(Nothing)`
    select pg_advisory_xact_lock(hashtextextended(session, 0)) is null as locked
    from ${sql.unnest(
      sessions.map((session) => [session]),
      ['text'],
    )} as given (session)`

export const countThreads = (sessions: readonly string[]) =>
  sql.type(Count)`
    select session, count(*) from threads.threads
    where session = any(${sql.array(sessions, 'text')}) group by session`

export const insertThreads = (threads: readonly NewThread[]) =>
  sql.type(Nothing)`
    insert into threads.threads (id, org, "user", session, loop, pass, attempt, model, is_rehearsal,
      title, messages, base, base_messages, created_at, updated_at)
    select id, org, "user", session, loop, pass, attempt, model, is_rehearsal, title, messages, base,
      base_messages, at, at
    from ${sql.unnest(threads.map(toRow), [
      ...(['text', 'text', 'text', 'text', 'text', 'int4', 'int4', 'text', 'bool'] as const),
      ...(['text', 'int4', 'text', 'int4', 'timestamptz'] as const),
    ])} as given (id, org, "user", session, loop, pass, attempt, model, is_rehearsal, title, messages,
      base, base_messages, at)`

const toRow = ({ turn, ...thread }: NewThread) => [
  ...[thread.id, turn.org, turn.user, thread.session, turn.loop, turn.pass, turn.attempt],
  ...[turn.model, turn.isRehearsal, thread.title, thread.messages, thread.base],
  ...[thread.baseMessages, turn.at],
]

/** A turn that comes late changes no time back. */
export const growThreads = (grown: Plan['grown']) =>
  sql.type(Nothing)`
    update threads.threads t
    set messages = greatest(t.messages, given.messages), updated_at = greatest(t.updated_at, given.at)
    from (
      select thread, max(messages) as messages, max(at) as at
      from ${sql.unnest(
        grown.map(({ thread, messages, at }) => [thread, messages, at]),
        ['text', 'int4', 'timestamptz'],
      )} as one (thread, messages, at) group by thread
    ) given
    where t.id = given.thread`

export const findTurns = (calls: readonly string[]) =>
  sql.type(Turn)`
    select call, thread from threads.turns where call = any(${sql.array(calls, 'text')})`

export const insertTurns = (turns: Plan['turns']) =>
  sql.type(Nothing)`
    insert into threads.turns (call, thread, at)
    select call, thread, at from ${sql.unnest(
      turns.map(({ call, thread, at }) => [call, thread, at]),
      ['text', 'text', 'timestamptz'],
    )} as given (call, thread, at) on conflict (call) do nothing`

/** A session goes whole, when the newest of its threads is old: the others are what it reads from. */
export const deleteStaleThreads = (before: Date, batchMax: number) =>
  sql.type(z.object({ id: z.string() }))`
    delete from threads.threads where id in (
      select id from threads.threads old
      where updated_at < ${sql.timestamp(before)}
        and not exists (
          select from threads.threads young
          where young.session = old.session and young.updated_at >= ${sql.timestamp(before)})
      order by updated_at limit ${batchMax})
    returning id`

/** What named no thread goes by its own age; the others go with their thread. */
export const deleteStaleTurns = (before: Date) =>
  sql.type(Nothing)`
    delete from threads.turns where thread is null and at < ${sql.timestamp(before)}`
