import { endings, type Loop } from './api.ts'
import type { LoopRow } from './sql/loops.ts'

// | state   | enters when                                             | leaves when                           |
// | ------- | ------------------------------------------------------- | ------------------------------------- |
// | queued  | it is stored; a pass is settled and another must follow | a runner leases it                    |
// | running | a runner has its lease                                  | the pass ends, or the lease runs out  |
// | paused  | a provider, this house or this machine needs a moment   | its time has come, or it is cancelled |
// | ended   | a decision or a cancellation ends it                    | never                                 |

export const isRehearsal = (model: string) => model.startsWith('rehearsal/')

export const branchOf = (
  id: string,
  { name, result }: { name: string; result?: string | undefined },
) => result ?? `treadle/${name}-${id.slice(0, 8)}`

const toIso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

export const toLoop = (row: LoopRow): Loop => ({
  id: row.id,
  org: row.org,
  user: row.user_id,
  name: row.name,
  state: row.state,
  ending: row.ending,
  exitCode: row.ending === null ? null : endings[row.ending],
  reason: row.reason,
  spec: row.spec,
  retryOf: row.retry_of,
  isRehearsal: isRehearsal(row.spec.model),
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
})
