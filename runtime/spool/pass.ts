import type { Pass } from './api.ts'
import type { PassFacts } from './decide.ts'
import type { PassRow } from './sql/passes.ts'

// | phase   | enters when                                        | leaves when                                    |
// | ------- | -------------------------------------------------- | ---------------------------------------------- |
// | agent   | the pass or its next attempt begins; after a pause | the work's commit is stored                    |
// | gates   | the commit is stored                               | what comes next is decided and stored          |
// | settled | the decision is stored                             | never                                          |

const toIso = (ms: number) => new Date(ms).toISOString()

export const toPass = (row: PassRow): Pass => ({
  loop: row.loop,
  pass: row.pass,
  attempt: row.attempt,
  phase: row.phase,
  sandbox: row.sandbox,
  sha: row.sha,
  filesChanged: row.files_changed,
  agentExit: row.agent_exit,
  agentCut: row.agent_cut,
  lastMessage: row.last_message,
  promised: row.promised,
  openItems: row.open_items,
  gates: row.gates,
  usage: {
    inputTokens: row.input_tokens,
    cachedTokens: row.cached_tokens,
    outputTokens: row.output_tokens,
  },
  costNanoUsd: row.cost_nano_usd,
  next: row.next,
  reason: row.reason,
  startedAt: toIso(row.started_at),
  endedAt: row.ended_at === null ? null : toIso(row.ended_at),
  plan: row.plan,
  agentMs: row.agent_ms,
  gatesMs: row.phase === 'settled' ? row.gates.reduce((sum, { ms }) => sum + ms, 0) : null,
  hasRecording: row.has_recording,
  changes: toChanges(row),
})

const toChanges = ({ changed_files: files, additions, deletions }: PassRow): Pass['changes'] =>
  files === null ? null : { files, additions: additions ?? 0, deletions: deletions ?? 0 }

/** What the decision looks at. Only a pass whose agent came to an end has an outcome. */
export const toFacts = (row: PassRow): PassFacts => ({
  outcome: row.outcome!,
  treeChanged: row.tree_changed,
  promised: row.promised,
  openItems: row.open_items,
  gates: row.gates,
})
