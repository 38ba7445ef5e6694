// What calls came to, from the lines of the ledger into the leases they were let in by: in the transaction that ships the
// lines, so exactly once. A call that the end of a process cut is charged with what it held: its answer may have been made.
import type { CommonQueryMethods } from 'slonik'
import { bookSpent } from '../sql/budgets.ts'

type Booked = { budget: number; start: number; epoch: number; spent: number }

// Between quotes a quote is escaped, so what a model said can look like neither.
const endState = /"state":"(?:settled|estimated)"/
// One line that no column takes would stop all shipping; what is above this is no true amount.
const spentMax = 9_000_000_000_000_000
const holds = /,"holds":(\[[\d,[\]-]+\])/

/** What the lines of ended calls charge, each budget and window once. Pure. */
export function planBooking(lines: readonly string[]): Booked[] {
  const sums = new Map<string, Booked>()
  for (const line of lines) {
    const found = holds.exec(line)?.[1]
    if (found === undefined || !endState.test(line)) continue
    const [epoch, nanoUsd, tokens, ...marks] = JSON.parse(found) as [
      number,
      number,
      number,
      ...Mark[],
    ]
    for (const [budget, unitCode, start] of marks) {
      const key = `${budget} ${start} ${epoch}`
      const sum = sums.get(key) ?? { budget, start, epoch, spent: 0 }
      sum.spent = Math.min(sum.spent + [nanoUsd, tokens, 1][unitCode]!, spentMax)
      sums.set(key, sum)
    }
  }
  return [...sums.values()]
}
type Mark = [budget: number, unitCode: 0 | 1 | 2, startS: number]

/** To be called with the lines of each batch, in the transaction that moves the ledger's place. */
export async function bookHolds(
  transaction: CommonQueryMethods,
  holder: string,
  lines: readonly string[],
): Promise<void> {
  const booked = planBooking(lines)
  if (booked.length > 0) await transaction.query(bookSpent(holder, JSON.stringify(booked)))
}
