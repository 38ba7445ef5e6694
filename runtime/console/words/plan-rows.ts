// The plan as it stands, with the pass that ticked each box.
import type { Pass } from '../../spool/api.ts'

export type PlanRow = {
  text: string
  isDone: boolean
  /** The pass that ticked it, or struck it out; null where it was so before the first one. */
  by: number | null
  /** A pass took it out of the plan. */
  isGone: boolean
}

type Step = Pick<Pass, 'pass' | 'plan'>

/** Over the passes up to one of them, in order. */
export function toPlanRows(passes: readonly Step[]): PlanRow[] {
  let rows = new Map<string, PlanRow>()
  let isFirst = true
  for (const { pass, plan } of passes) {
    if (plan === null) continue
    rows = applyStep(rows, { pass, plan }, isFirst)
    isFirst = false
  }
  return [...rows.values()]
}

function applyStep(
  before: ReadonlyMap<string, PlanRow>,
  { pass, plan }: { pass: number; plan: NonNullable<Pass['plan']> },
  isFirst: boolean,
): Map<string, PlanRow> {
  const rows = new Map<string, PlanRow>()
  const seen = new Map<string, number>()
  for (const { text, isDone } of plan) {
    const times = (seen.get(text) ?? 0) + 1
    seen.set(text, times)
    const key = `${times} ${text}` // A text may stand twice in a plan.
    const earlier = before.get(key)
    const isTicked = isDone && !(earlier?.isDone && !earlier.isGone)
    const by = !isDone ? null : isTicked ? pass : (earlier?.by ?? null)
    rows.set(key, { text, isDone, by, isGone: false })
  }
  if (isFirst) return rows
  for (const [key, row] of before) {
    if (!rows.has(key)) rows.set(key, row.isGone ? row : { ...row, isGone: true, by: pass })
  }
  return rows
}
