import { sql } from 'slonik'
import { z } from 'zod'
import { wordsOf } from '../line.ts'
import type { NewMessage } from '../place.ts'

const Row = z.object({
  position: z.number(),
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  text: z.string(),
  tool_id: z.string().nullable(),
  tool_name: z.string().nullable(),
  at: z.number(),
})
const Shared = z.object({
  line: z.number(),
  thread: z.string(),
  position: z.number(),
  messages: z.number(),
})
const Nothing = z.object({})
export type MessageRow = z.infer<typeof Row>

/** Of each line, by its number, the last message that it shares with what is stored, and how long its thread is. */
export const findShared = (lines: readonly string[][]) =>
  sql.type(Shared)`
    select distinct on (given.line) given.line, m.thread, m.position, t.messages
    from ${sql.unnest(
      lines.flatMap((chains, line) => chains.map((chain) => [line, chain])),
      ['int4', 'text'],
    )} as given (line, chain)
      join threads.messages m on m.chain = given.chain
      join threads.threads t on t.id = m.thread
    order by given.line, m.position desc`

/** Words go in twice: stemmed as English, and as they are, for names of code and other languages. */
export const insertMessages = (messages: readonly NewMessage[]) =>
  sql.type(Nothing)`
    insert into threads.messages (thread, position, role, text, tool_id, tool_name, at, chain, words)
    select thread, position, role, text, tool_id, tool_name, at, chain,
      to_tsvector('english', words) || to_tsvector('simple', words)
    from ${sql.unnest(messages.map(toRow), [
      ...(['text', 'int4', 'text', 'text', 'text', 'text', 'timestamptz', 'text', 'text'] as const),
    ])} as entry (thread, position, role, text, tool_id, tool_name, at, chain, words)`

const toRow = ({ thread, entry, at }: NewMessage) => [
  thread,
  entry.position,
  entry.role,
  entry.text,
  entry.tool?.id ?? null,
  entry.tool?.name ?? null,
  at,
  entry.chain,
  wordsOf(entry),
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
