import type { DatabasePool } from 'slonik'
import { holdEpoch, leaseBudgets } from '../sql/budgets.ts'
import type { LeaseAnswer, LeaseAsk, LeaseStore } from './leases.ts'

/** Leases from PostgreSQL as one process of a holder. */
export function createLeaseStore(
  db: DatabasePool,
  { holder, epoch }: { holder: string; epoch: number },
): LeaseStore {
  return {
    ask: (asks, atMs) =>
      db.transaction(async (transaction) => {
        if (!(await transaction.maybeOne(holdEpoch(holder, epoch)))) return 'fenced' as const
        const sorted = [...asks].sort(byPlace) // All take their locks in one order.
        const rows = JSON.stringify(sorted.map(toRow))
        const at = new Date(atMs)
        const answers = await transaction.any(leaseBudgets(rows, holder, epoch, at))
        const byAsk = new Map(sorted.map((ask, index) => [ask, toAnswer(answers[index]!)]))
        return asks.map((ask) => byAsk.get(ask)!)
      }),
  }
}

const byPlace = (one: LeaseAsk, other: LeaseAsk) =>
  one.budget - other.budget || one.startMs - other.startMs

const toRow = ({ budget, startMs, endMs, seq, returned, want, least }: LeaseAsk) => ({
  budget,
  start: startMs / 1_000,
  end: endMs === null ? null : endMs / 1_000,
  seq,
  returned,
  want,
  least,
})

type Row = {
  is_gone: boolean
  seq: number
  granted: number
  returned: number
  amount: number
  others_spent: number
  others_held: number
  room: number
}

const toAnswer = (row: Row): LeaseAnswer => ({
  isGone: row.is_gone,
  seq: row.seq,
  granted: row.granted,
  returned: row.returned,
  amount: row.amount,
  othersSpent: row.others_spent,
  othersHeld: row.others_held,
  left: row.room,
})
