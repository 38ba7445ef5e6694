import { sql } from 'slonik'
import { z } from 'zod'
import type { LoopEvent } from '../api.ts'

/** What an event says, without its place in the order. */
export type EventBody = LoopEvent extends infer E
  ? E extends LoopEvent
    ? Omit<E, 'seq' | 'at' | 'loop' | 'name'>
    : never
  : never

const Row = z.object({ seq: z.number(), at: z.number(), body: z.custom<EventBody>() })
export type EventRow = z.infer<typeof Row>

/** Runs inside a transaction that holds the loop's row, so numbers have no gap and no order but this. */
export const appendEvent = (loop: string, body: EventBody) =>
  sql.unsafe`
    with next as (
      update spool.loops set event_seq = event_seq + 1 where id = ${loop} returning event_seq)
    insert into spool.events (loop, seq, body)
    select ${loop}, event_seq, ${JSON.stringify(body)}::jsonb from next`

export const readEvents = (loop: string, after: number, limit: number) =>
  sql.type(Row)`
    select seq, at, body from spool.events where loop = ${loop} and seq > ${after} order by seq limit ${limit}`
