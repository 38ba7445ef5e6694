// The list of calls: what was asked of whom, when, how long it took and what it cost. Never what was said.
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { Page } from '../spool/api.ts'
import type { Call, CallTiming } from './api.ts'
import { fault } from './errors.ts'
import type { Books } from './ledger.ts'
import { TagQuestion } from './policy/tags.ts'
import { flush, toUsage } from './record.ts'
import { type CallRow, findCall, listCalls } from './sql/calls.ts'

const Count = z.coerce.number().int().min(1)
const Name = z.string().min(1).max(200)
const cursorPattern = /^(\d{1,15})_([\w-]{1,64})$/

export const CallsQuestion = z.strictObject({
  loop: Name.optional(),
  pass: Count.max(1_000_000).optional(),
  attempt: Count.max(1_000_000).optional(),
  sandbox: Name.optional(),
  model: Name.optional(),
  team: Name.optional(),
  endUser: Name.optional(),
  tag: TagQuestion.optional(),
  limit: Count.max(500).default(100),
  cursor: z.string().regex(cursorPattern, 'Give the cursor of an earlier answer.').optional(),
})
type CallsQuestion = z.infer<typeof CallsQuestion>

/** Newest first. What has begun and not ended is in it. */
export async function readCalls(
  org: string,
  question: CallsQuestion,
  { db, books }: { db: DatabasePool; books: Books },
): Promise<Page<Call>> {
  await flush(books)
  const { limit, cursor, tag: tags, ...wanted } = question
  const rows = await db.any(listCalls({ org, ...wanted, tags }, toPlace(cursor), limit + 1))
  const shown = rows.slice(0, limit)
  return { items: shown.map(toCall), cursor: rows.length > limit ? toCursor(shown.at(-1)!) : null }
}

/** One call, with all that the list says of it. */
export async function readCall(
  org: string,
  id: string,
  { db, books }: { db: DatabasePool; books: Books },
): Promise<Call> {
  await flush(books)
  const row = await db.maybeOne(findCall(org, id))
  if (!row) throw fault('call/absent')
  return toCall(row)
}

/** Where a page ended: the call's beginning, and its id, for others may have begun in the same moment. */
const toCursor = ({ began_at, id }: CallRow) => `${began_at}_${id}`

function toPlace(cursor: string | undefined): { beganAt: Date; id: string } | null {
  const [, ms, id] = cursorPattern.exec(cursor ?? '') ?? []
  return ms === undefined ? null : { beganAt: new Date(Number(ms)), id: id! }
}

function toTiming(row: CallRow): CallTiming | null {
  const { intake_ms: intakeMs, sent_ms: sentMs, first_byte_ms: firstByteMs } = row
  return intakeMs === null ? null : { intakeMs, sentMs, firstByteMs, lastByteMs: row.last_byte_ms }
}

const toCall = (row: CallRow): Call => ({
  id: row.id,
  org: row.org,
  loop: row.loop,
  pass: row.pass,
  attempt: row.attempt,
  sandbox: row.sandbox,
  key: row.key,
  team: row.team,
  tags: row.tags ?? {},
  endUser: row.end_user,
  provider: row.provider,
  model: row.model,
  wire: row.wire,
  isRehearsal: row.is_rehearsal,
  state: row.state,
  status: row.status,
  usage: toUsage(row),
  serviceTier: row.service_tier,
  costNanoUsd: row.cost_nano_usd,
  isPriced: row.is_priced,
  stopReason: row.stop_reason,
  toolCalls: row.tool_calls,
  beganAt: new Date(row.began_at).toISOString(),
  endedAt: row.ended_at === null ? null : new Date(row.ended_at).toISOString(),
  firstByteMs: row.first_byte_ms,
  timing: toTiming(row),
  error: row.error,
})
