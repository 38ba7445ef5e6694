// What was used, summed by day, provider, model and loop, and by whom where that is asked for.
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { UsageRow } from './api.ts'
import type { Books } from './ledger.ts'
import { TagQuestion } from './policy/tags.ts'
import { toUsage } from './record.ts'
import { sumUsage, type UsageSums } from './sql/calls.ts'

const daysMax = 400 // Of one question: a year, and what a late invoice of its beginning needs.
const rowsMax = 5_000
const dayMs = 86_400_000

const Name = z.string().min(1).max(200)
const Day = z.iso.date('Write a day as 2026-11-30.')
const dimensions = ['team', 'user', 'key', 'end-user'] as const
/** And the values of one tag, as `tag:env`. */
const By = z
  .string()
  .transform((text) => {
    const names = text.split(',')
    const tags = names.flatMap((name) => /^tag:(.+)$/.exec(name)?.[1] ?? [])
    return { names: names.filter((name) => !name.startsWith('tag:')), tags }
  })
  .pipe(
    z.object({
      names: z.array(z.enum(dimensions)).max(dimensions.length),
      tags: z.array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,39}$/)).max(1, 'One tag at once.'),
    }),
  )

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
    team: Name.optional(),
    endUser: Name.optional(),
    tag: TagQuestion.optional(),
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
  const { loop, user, key, model, team, endUser, tag: tags, by: asked } = question
  const by = (asked?.names ?? []).map((name) => (name === 'end-user' ? 'end_user' : name))
  const told = { by, byTag: asked?.tags[0] }
  const wanted = { org, ...toSpan(question, now()), loop, user, key, model, team, endUser, tags }
  const rows = await db.any(sumUsage({ ...wanted, ...told }, rowsMax))
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
  endUser: row.end_user,
  tag: row.tag,
  isRehearsal: row.is_rehearsal,
  calls: row.calls,
  usage: toUsage(row),
  costNanoUsd: row.cost_nano_usd,
  unpricedCalls: row.unpriced_calls,
  estimatedCalls: row.estimated_calls,
})
