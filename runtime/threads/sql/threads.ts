import { sql } from 'slonik'
import { z } from 'zod'
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

const Count = z.object({ count: z.number() })
const Turn = z.object({ thread: z.string().nullable() })
const Nothing = z.object({})
const columns = sql.fragment`
  id, org, "user", loop, pass, attempt, model, is_rehearsal, title, messages, created_at, updated_at`

export const findThread = (org: string, id: string) =>
  sql.type(Row)`select ${columns} from threads.threads where org = ${org} and id = ${id}`

export const findThreads = (ids: string[]) =>
  sql.type(Row)`select ${columns} from threads.threads where id = any(${sql.array(ids, 'text')})`

export type ListOptions = Scope & { loop: string | null; after: string | null; limit: number }

/** Newest first. `after` is a thread of the same organisation; an unknown one ends the list. */
export const listThreads = ({ loop, after, limit, ...scope }: ListOptions) =>
  sql.type(Row)`
    select ${columns} from threads.threads t
    where ${inScope(scope)}
      ${loop === null ? sql.fragment`` : sql.fragment`and loop = ${loop}`}
      ${
        after === null
          ? sql.fragment``
          : sql.fragment`and (created_at, id) <
              (select created_at, id from threads.threads where org = ${scope.org} and id = ${after})`
      }
    order by created_at desc, id desc limit ${limit}`

/** Turns of one session are placed one after the other; the lock ends with the transaction. */
export const lockSession = (session: string) =>
  sql.type(Nothing)`select pg_advisory_xact_lock(hashtextextended(${session}, 0)) is null as locked`

export const countThreads = (session: string) =>
  sql.type(Count)`
    select count(*) from threads.threads where session = ${session}`

export type NewThread = Omit<ThreadRow, 'created_at' | 'updated_at'> & {
  session: string
  base: string | null
  base_messages: number
  at: Date
}

export const insertThread = (row: NewThread) =>
  sql.type(Nothing)`
    insert into threads.threads (id, org, "user", session, loop, pass, attempt, model, is_rehearsal,
      title, messages, base, base_messages, created_at, updated_at)
    values (${row.id}, ${row.org}, ${row.user}, ${row.session}, ${row.loop}, ${row.pass},
      ${row.attempt}, ${row.model}, ${row.is_rehearsal}, ${row.title}, ${row.messages}, ${row.base},
      ${row.base_messages}, ${sql.timestamp(row.at)}, ${sql.timestamp(row.at)})`

/** A turn that comes late changes no time back. */
export const growThread = (id: string, messages: number, at: Date) =>
  sql.type(Nothing)`
    update threads.threads
    set messages = greatest(messages, ${messages}),
        updated_at = greatest(updated_at, ${sql.timestamp(at)})
    where id = ${id}`

export const findTurn = (call: string) =>
  sql.type(Turn)`
    select thread from threads.turns where call = ${call}`

export const insertTurn = (call: string, thread: string | null, at: Date) =>
  sql.type(Nothing)`
    insert into threads.turns (call, thread, at)
    values (${call}, ${thread}, ${sql.timestamp(at)}) on conflict (call) do nothing`

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
