// What was used, summed by day, provider, model and loop, and by whom where that is asked for.
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { UsageRow } from './api.ts'
import type { Books } from './ledger.ts'
import { toUsage } from './record.ts'
import { sumUsage, type UsageSums } from './sql/calls.ts'

const daysMax = 400 // Of one question: a year, and what a late invoice of its beginning needs.
const rowsMax = 5_000
const dayMs = 86_400_000

const Name = z.string().min(1).max(200)
const Day = z.iso.date('Write a day as 2026-11-30.')
const dimensions = ['team', 'user', 'key'] as const
const By = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(dimensions)).max(dimensions.length))

export const UsageQuestion = z
  .strictObject({
    days: z.coerce.number().int().min(1).max(90).default(7),
    /** The first and the last day, in UTC. They win over `days`. */
    from: Day.optional(),
    to: Day.optional(),
    loop: z.string().min(1).max(100).optional(),
    user: Name.optional(),
    key: Name.optional(),
    model: Name.optional(),
    by: By.optional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || daysBetween(from, to) >= 0, {
    path: ['to'],
    message: 'The last day comes before the first.',
  })
  .refine(({ from, to }) => !from || !to || daysBetween(from, to) < daysMax, {
    path: ['from'],
    message: `Ask for ${daysMax} days at most.`,
  })
type UsageQuestion = z.infer<typeof UsageQuestion>

const daysBetween = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / dayMs

/** What is not in the table yet is missing from it: this page may lag, the records of passes may not. */
export async function readUsage(
  org: string,
  question: UsageQuestion,
  { db, books, now }: { db: DatabasePool; books: Books; now: () => Date },
): Promise<UsageRow[]> {
  await books.flush().catch(() => {}) // The database is asked next, and says what is wrong with it.
  const { loop, user, key, model, by = [] } = question
  const span = toSpan(question, now())
  const rows = await db.any(sumUsage({ org, ...span, loop, user, key, model, by }, rowsMax))
  return rows.map(toUsageRow)
}

/** Whole days in UTC, today's included. */
function toSpan({ days, from, to }: UsageQuestion, now: Date): { since: Date; until: Date } {
  const today = Math.floor(now.getTime() / dayMs) * dayMs
  const until = (to === undefined ? today : Date.parse(to)) + dayMs
  const since = from === undefined ? until - days * dayMs : Date.parse(from)
  return { since: new Date(Math.max(since, until - daysMax * dayMs)), until: new Date(until) }
}

const toUsageRow = (row: UsageSums): UsageRow => ({
  day: row.day,
  provider: row.provider,
  model: row.model,
  loop: row.loop,
  team: row.team,
  user: row.user,
  key: row.key,
  isRehearsal: row.is_rehearsal,
  calls: row.calls,
  usage: toUsage(row),
  costNanoUsd: row.cost_nano_usd,
  unpricedCalls: row.unpriced_calls,
  estimatedCalls: row.estimated_calls,
})
