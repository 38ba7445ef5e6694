// Budgets as PostgreSQL has them, for the process that keeps them in memory.
import type { DatabasePool } from 'slonik'
import {
  type BudgetRow,
  foldLeases,
  listChanges,
  purgeBudgets,
  purgeLeases,
  raiseEpoch,
} from '../sql/budgets.ts'
import type { Budget } from './budget.ts'

/** Takes a holder's place: what its last process leased and did not spend is free again. */
export const beginEpoch = (db: DatabasePool, holder: string): Promise<number> =>
  db.transaction(async (transaction) => {
    const { epoch } = await transaction.one(raiseEpoch(holder))
    await transaction.query(foldLeases(holder, epoch))
    return epoch
  })

const changesMax = 1_000

/** What changed since a revision; null = it is no more. */
export async function readChanges(db: DatabasePool, after: number) {
  const items: { id: number; budget: Budget | null }[] = []
  let revision = after
  for (;;) {
    const rows = await db.any(listChanges(revision, changesMax))
    items.push(
      ...rows.map((row) => ({
        id: row.id,
        budget: row.removed_at === null ? toBudget(row) : null,
      })),
    )
    revision = rows.at(-1)?.revision ?? revision
    if (rows.length < changesMax) return { items, revision }
  }
}

const keepMs = 86_400_000 // Longer than a proxy is behind with its ledger or its reading.

export async function purge(db: DatabasePool, now: Date): Promise<void> {
  const before = new Date(now.getTime() - keepMs)
  await db.query(purgeLeases(Math.floor(before.getTime() / 1_000)))
  await db.query(purgeBudgets(before))
}

export const toBudget = (row: BudgetRow): Budget => ({
  id: row.id,
  org: row.org,
  name: row.name,
  level: row.level,
  subject: row.subject,
  model: row.model,
  unit: row.unit,
  amount: row.amount,
  window: row.window,
  zone: row.zone,
  clip: row.clip,
  clipTokensMin: row.clip_tokens_min,
  enforce: row.enforce,
  enabled: row.enabled,
  raise:
    row.raise_amount === null || row.raise_until === null
      ? null
      : { amount: row.raise_amount, untilMs: row.raise_until },
  madeBy: row.made_by,
  createdAtMs: row.created_at,
})
