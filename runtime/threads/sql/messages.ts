import { sql } from 'slonik'
import { z } from 'zod'
import type { Entry } from '../line.ts'

const Row = z.object({
  position: z.number(),
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  text: z.string(),
  tool_id: z.string().nullable(),
  tool_name: z.string().nullable(),
  at: z.number(),
})
const Shared = z.object({ thread: z.string(), position: z.number(), messages: z.number() })
const Nothing = z.object({})
export type MessageRow = z.infer<typeof Row>

/** The last message that a line shares with what is stored, and how long its thread is. */
export const findShared = (chains: string[]) =>
  sql.type(Shared)`
    select m.thread, m.position, t.messages
    from threads.messages m join threads.threads t on t.id = m.thread
    where m.chain = any(${sql.array(chains, 'text')})
    order by m.position desc limit 1`

/** Words go in twice: stemmed as English, and as they are, for names of code and other languages. */
export const insertMessages = (thread: string, entries: readonly Entry[], at: Date) =>
  sql.type(Nothing)`
    insert into threads.messages (thread, position, role, text, tool_id, tool_name, at, chain, words)
    select ${thread}, position, role, text, tool_id, tool_name, ${sql.timestamp(at)}, chain,
      to_tsvector('english', words) || to_tsvector('simple', words)
    from ${sql.unnest(entries.map(toRow), ['int4', 'text', 'text', 'text', 'text', 'text', 'text'])}
      as entry (position, role, text, tool_id, tool_name, chain, words)`

const toRow = ({ position, role, text, tool, chain, words }: Entry) => [
  position,
  role,
  text,
  tool?.id ?? null,
  tool?.name ?? null,
  chain,
  words,
]

export type PageOptions = { thread: string; after: number; limit: number; bytesMax: number }

/**
 * A page of a thread's line, in order. The line's start may stand in its base, and that one's in its own. Ends early
 * once the texts are over `bytesMax`, but never before the first message.
 */
export const listMessages = ({ thread, after, limit, bytesMax }: PageOptions) =>
  sql.type(Row)`
    with recursive line (thread, below, base, base_messages) as (
      select id, messages, base, base_messages from threads.threads where id = ${thread}
      union all
      select t.id, line.base_messages, t.base, t.base_messages
      from line join threads.threads t on t.id = line.base
    ), page as (
      select m.* from line join threads.messages m
        on m.thread = line.thread and m.position < line.below
      where m.position > ${after}
      order by m.position limit ${limit}
    )
    select position, role, text, tool_id, tool_name, at
    from (select *, sum(octet_length(text)) over (order by position) as bytes from page) summed
    where bytes <= ${bytesMax} or position = (select min(position) from page)
    order by position`
