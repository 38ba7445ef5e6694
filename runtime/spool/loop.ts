import { endings, type Loop, type LoopSummary } from './api.ts'
import type { LoopRow, SummaryRow } from './sql/loops.ts'

// | state   | enters when                                             | leaves when                           |
// | ------- | ------------------------------------------------------- | ------------------------------------- |
// | queued  | it is stored; a pass is settled and another must follow | a runner leases it                    |
// | running | a runner has its lease                                  | the pass ends, or the lease runs out  |
// | paused  | a provider, this house or this machine needs a moment   | its time has come, or it is cancelled |
// |         | somebody paused it, and its pass has ended (held)       | it is resumed, or cancelled           |
// | ended   | a decision or a cancellation ends it                    | never                                 |

export const isRehearsal = (model: string) => model.startsWith('rehearsal/')

export const branchOf = (
  id: string,
  { name, result }: { name: string; result?: string | undefined },
) => result ?? `treadle/${name}-${id.slice(0, 8)}`

const toIso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

export const toHoldReason = (user: string) => `Paused by ${user}; resume it to go on.`

export const toLoop = (row: LoopRow): Loop => ({
  ...toSummary(row),
  spec: row.spec,
  base: row.base,
})

export const toSummary = (row: SummaryRow): LoopSummary => ({
  id: row.id,
  org: row.org,
  user: row.user_id,
  name: row.name,
  state: row.state,
  ending: row.ending,
  exitCode: row.ending === null ? null : endings[row.ending],
  reason: row.held_by === null ? row.reason : toHoldReason(row.held_by),
  retryOf: row.retry_of,
  isRehearsal: isRehearsal(row.model),
  passes: row.passes,
  usage: {
    inputTokens: row.input_tokens,
    cachedTokens: row.cached_tokens,
    outputTokens: row.output_tokens,
  },
  costNanoUsd: row.cost_nano_usd,
  branch: row.branch,
  bundle: row.bundle,
  createdAt: new Date(row.created_at).toISOString(),
  startedAt: toIso(row.started_at),
  endedAt: toIso(row.ended_at),
  repository: row.repository,
  ref: row.ref,
  agent: row.agent,
  model: row.model,
  caps: row.caps,
  isHeld: row.held_by !== null,
  pass: toRunningPass(row),
  openItems: row.open_items,
})

/** A pass that waits with its loop does not run. */
function toRunningPass(row: SummaryRow): LoopSummary['pass'] {
  if (row.state !== 'running' || row.open_pass === null) return null
  return {
    pass: row.open_pass,
    phase: row.open_phase!,
    startedAt: new Date(row.open_started_at!).toISOString(),
  }
}
