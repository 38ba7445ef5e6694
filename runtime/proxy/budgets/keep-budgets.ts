// What people do with budgets: add, list, look, change, raise, remove. Each change holds here once it is answered.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type {
  BudgetChange,
  BudgetRaise,
  BudgetUse,
  NewBudget,
  Budget as WireBudget,
} from '../api.ts'
import { fault } from '../errors.ts'
import {
  type Changed,
  countBudgets,
  findBudget,
  insertBudget,
  listBudgets,
  lockBudget,
  nextRevision,
  removeBudget as removeRow,
  sumUse,
  updateBudget,
} from '../sql/budgets.ts'
import { amountAt, type Budget } from './budget.ts'
import { toBudget } from './budget-store.ts'
import type { Budgets } from './budgets.ts'
import { planWindow } from './window.ts'

export type KeepDeps = {
  db: DatabasePool
  /** `refresh` reaches all processes of this role that there are here. */
  budgets: Pick<Budgets, 'refresh' | 'heldHere'>
  log: Logger
  now: () => Date
}
type Owner = { org: string; user: string }

const budgetsMax = 10_000 // Of one organisation: all are held in memory, by every proxy.
const sameMax = 16 // For the same one: each is reserved at every call.
const raiseDaysMax = 366

export async function addBudget(
  added: NewBudget,
  { org, user }: Owner,
  deps: KeepDeps,
): Promise<WireBudget> {
  const { subject = null, model = null } = added
  const row = await deps.db.transaction(async (transaction) => {
    const { revision } = await transaction.one(nextRevision())
    const { all, same } = await transaction.one(countBudgets({ org, level: added.level, subject }))
    if (all >= budgetsMax) throw fault('budget/full', { say: `${budgetsMax} is the most.` })
    if (same >= sameMax)
      throw fault('budget/full', { say: `${sameMax} for the same one is the most.` })
    const made = { ...added, org, subject, model, madeBy: user }
    return transaction.maybeOne(insertBudget(made, deps.now(), revision))
  })
  if (!row) throw fault('budget/exists', { detail: added.name })
  deps.log.info({ org, budget: added.name, user, amount: added.amount }, 'a budget was added')
  await deps.budgets.refresh()
  return toWire(toBudget(row))
}

export async function readBudget(org: string, name: string, { db }: KeepDeps): Promise<WireBudget> {
  return toWire(await find(db, org, name))
}

async function find(db: DatabasePool, org: string, name: string): Promise<Budget> {
  const row = await db.maybeOne(findBudget(org, name))
  if (!row) throw fault('budget/absent', { detail: name })
  return toBudget(row)
}

/** By name, from behind `cursor` on, which is one. */
export async function readBudgets(
  org: string,
  { limit, cursor }: { limit: number; cursor: string },
  { db }: KeepDeps,
): Promise<{ items: WireBudget[]; cursor: string | null }> {
  const rows = await db.any(listBudgets(org, cursor, limit + 1))
  const items = rows.slice(0, limit).map((row) => toWire(toBudget(row)))
  return { items, cursor: rows.length > limit ? items.at(-1)!.name : null }
}

export const changeBudget = (
  name: string,
  change: BudgetChange,
  owner: Owner,
  deps: KeepDeps,
): Promise<WireBudget> =>
  replace(name, owner, deps, (budget) => {
    if (budget.unit === 'requests' && change.clip === 'allow')
      throw fault('budget/invalid', { say: 'A request cannot be clipped.' })
    return {
      amount: change.amount ?? budget.amount,
      clip: change.clip ?? budget.clip,
      clipTokensMin: change.clipTokensMin ?? budget.clipTokensMin,
      enforce: change.enforce ?? budget.enforce,
      enabled: change.enabled ?? budget.enabled,
      raise: change.raise === null ? null : budget.raise,
    }
  })

export const raiseBudget = (
  name: string,
  { amount, until }: BudgetRaise,
  owner: Owner,
  deps: KeepDeps,
): Promise<WireBudget> =>
  replace(name, owner, deps, (budget) => {
    const [untilMs, nowMs] = [Date.parse(until), deps.now().getTime()]
    if (amount <= budget.amount)
      throw fault('budget/invalid', { say: `A raise goes above its amount, ${budget.amount}.` })
    if (untilMs <= nowMs || untilMs > nowMs + raiseDaysMax * 86_400_000)
      throw fault('budget/invalid', { say: 'A raise ends in the future, within a year.' })
    return { ...budget, raise: { amount, untilMs } }
  })

/** Under the lock of all changes, so that two at once do not lose one. */
async function replace(
  name: string,
  { org, user }: Owner,
  { db, budgets, log }: KeepDeps,
  toChanged: (budget: Budget) => Changed,
): Promise<WireBudget> {
  const row = await db.transaction(async (transaction) => {
    const { revision } = await transaction.one(nextRevision())
    const found = await transaction.maybeOne(lockBudget(org, name))
    if (!found) throw fault('budget/absent', { detail: name })
    return transaction.one(updateBudget(found.id, toChanged(toBudget(found)), revision))
  })
  const { amount, enabled, enforce, raise_amount: raise } = row
  log.info({ org, budget: name, user, amount, enabled, enforce, raise }, 'a budget was changed')
  await budgets.refresh()
  return toWire(toBudget(row))
}

/** Calls in flight go on, and then count nowhere. */
export async function removeBudget(
  name: string,
  { org, user }: Owner,
  deps: KeepDeps,
): Promise<void> {
  await deps.db.transaction(async (transaction) => {
    const { revision } = await transaction.one(nextRevision())
    const found = await transaction.maybeOne(lockBudget(org, name))
    if (!found) throw fault('budget/absent', { detail: name })
    await transaction.query(removeRow(found.id, deps.now(), revision))
  })
  deps.log.info({ org, budget: name, user }, 'a budget was removed')
  await deps.budgets.refresh()
}

/** As the database has it: what other proxies spent within the last second may be among what is leased still. */
export async function readUse(org: string, name: string, deps: KeepDeps): Promise<BudgetUse> {
  const budget = await find(deps.db, org, name)
  const nowMs = deps.now().getTime()
  const { startMs, endMs } = planWindow(budget.window, budget.zone, nowMs)
  const { spent, held } = await deps.db.one(sumUse(budget.id, startMs / 1_000))
  const amount = amountAt(budget, nowMs)
  const isEndless = endMs === Number.POSITIVE_INFINITY
  return {
    name,
    unit: budget.unit,
    amount,
    used: spent,
    leased: held,
    reserved: deps.budgets.heldHere(budget.id),
    left: amount - spent - held,
    from: isEndless ? null : new Date(startMs).toISOString(),
    resetsAt: isEndless ? null : new Date(endMs).toISOString(),
  }
}

const toWire = ({ id: _, org: __, raise, createdAtMs, ...budget }: Budget): WireBudget => ({
  ...budget,
  raise: raise && { amount: raise.amount, until: new Date(raise.untilMs).toISOString() },
  createdAt: new Date(createdAtMs).toISOString(),
})
