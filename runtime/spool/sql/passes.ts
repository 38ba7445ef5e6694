import { sql } from 'slonik'
import { z } from 'zod'
import type { GateResult, Next, PlanItem } from '../api.ts'
import type { Outcome } from '../decide.ts'

export const PassRow = z.object({
  loop: z.string(),
  pass: z.int(),
  attempt: z.int(),
  phase: z.enum(['agent', 'gates', 'settled']),
  sandbox: z.string().nullable(),
  sha: z.string().nullable(),
  tree_changed: z.boolean(),
  files_changed: z.int(),
  agent_exit: z.int().nullable(),
  agent_cut: z.string().nullable(),
  outcome: z.custom<Outcome | null>(),
  last_message: z.string().nullable(),
  promised: z.boolean(),
  open_items: z.int().nullable(),
  gates: z.custom<GateResult[]>(Array.isArray),
  next: z.custom<Next | null>(),
  reason: z.string().nullable(),
  started_at: z.number(),
  ended_at: z.number().nullable(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  output_tokens: z.number(),
  cost_nano_usd: z.number(),
  plan: z.custom<PlanItem[] | null>(),
  agent_ms: z.int().nullable(),
  has_recording: z.boolean(),
  changed_files: z.int().nullable(),
  additions: z.number().nullable(),
  deletions: z.number().nullable(),
})
export type PassRow = z.infer<typeof PassRow>

const columns = sql.fragment`
  p.loop, p.pass, p.attempt, p.phase, a.sandbox, p.sha, p.tree_changed, p.files_changed,
  p.agent_exit, p.agent_cut, p.outcome, p.last_message, p.promised, p.open_items, p.gates,
  p.next, p.reason, p.started_at, p.ended_at,
  spent.input_tokens, spent.cached_tokens, spent.output_tokens, spent.cost_nano_usd, p.plan, p.agent_ms,
  exists (select from spool.recordings where loop = p.loop and pass = p.pass) as has_recording,
  c.files as changed_files, c.additions, c.deletions`

const source = sql.fragment`
  spool.passes p
  join spool.attempts a on a.loop = p.loop and a.pass = p.pass and a.attempt = p.attempt
  cross join lateral (
    select sum(input_tokens) as input_tokens, sum(cached_tokens) as cached_tokens,
      sum(output_tokens) as output_tokens, sum(cost_nano_usd) as cost_nano_usd
    from spool.attempts where loop = p.loop and pass = p.pass) spent
  left join spool.changes c on c.loop = p.loop and c.pass = p.pass`

export const listPasses = (loop: string, after: number, limit: number) =>
  sql.type(PassRow)`
    select ${columns} from ${source} where p.loop = ${loop} and p.pass > ${after} order by p.pass limit ${limit}`

/** The last passes, newest first. */
export const lastPasses = (loop: string, limit: number) =>
  sql.type(PassRow)`
    select ${columns} from ${source} where p.loop = ${loop} order by p.pass desc limit ${limit}`

export const readPass = (loop: string, pass: number) =>
  sql.type(PassRow)`select ${columns} from ${source} where p.loop = ${loop} and p.pass = ${pass}`

const Output = z.object({ output: z.custom<Buffer | null>() })
export const readOutput = (loop: string, pass: number) =>
  sql.type(Output)`select output from spool.passes where loop = ${loop} and pass = ${pass}`

// What follows runs inside a transaction that holds the lease. Each statement may run twice with the same effect.

export const insertPass = (loop: string, pass: number) =>
  sql.unsafe`
    insert into spool.passes (loop, pass) values (${loop}, ${pass}) on conflict (loop, pass) do nothing`

/** The next try of a pass whose agent did not come to an end. What the earlier tries used stays booked. */
export const insertAttempt = (loop: string, pass: number, attempt: number) =>
  sql.unsafe`
    insert into spool.attempts (loop, pass, attempt) values (${loop}, ${pass}, ${attempt})
    on conflict (loop, pass, attempt) do nothing`

export const setAttempt = (loop: string, pass: number, attempt: number) =>
  sql.unsafe`
    update spool.passes set attempt = ${attempt}, next = null, reason = null
    where loop = ${loop} and pass = ${pass} and phase = 'agent'`

export const setSandbox = (loop: string, pass: number, attempt: number, sandbox: string) =>
  sql.unsafe`
    update spool.attempts set sandbox = ${sandbox}
    where loop = ${loop} and pass = ${pass} and attempt = ${attempt}`

export type Spent = {
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  costNanoUsd: number
}

/** Figures only grow: an answer that overtook another changes nothing. */
export const bookSpent = (loop: string, pass: number, attempt: number, spent: Spent) =>
  sql.unsafe`
    update spool.attempts set
      input_tokens = greatest(input_tokens, ${spent.inputTokens}),
      cached_tokens = greatest(cached_tokens, ${spent.cachedTokens}),
      output_tokens = greatest(output_tokens, ${spent.outputTokens}),
      cost_nano_usd = greatest(cost_nano_usd, ${spent.costNanoUsd})
    where loop = ${loop} and pass = ${pass} and attempt = ${attempt}`

export type AgentEnd = {
  sha: string
  treeChanged: boolean
  filesChanged: number
  agentExit: number | null
  agentCut: string | null
  outcome: Outcome
  lastMessage: string | null
  promised: boolean
  openItems: number | null
  output: Buffer
  plan: PlanItem[] | null
  agentMs: number
}

/** From `agent` to `gates`: from here on the agent of this pass never runs again. */
export const enterGates = (loop: string, pass: number, end: AgentEnd) =>
  sql.type(z.object({ pass: z.int() }))`
    update spool.passes set phase = 'gates', sha = ${end.sha}, tree_changed = ${end.treeChanged},
      files_changed = ${end.filesChanged}, agent_exit = ${end.agentExit}, agent_cut = ${end.agentCut},
      outcome = ${JSON.stringify(end.outcome)}::jsonb, last_message = ${end.lastMessage},
      promised = ${end.promised}, open_items = ${end.openItems}, output = ${sql.binary(end.output)},
      plan = ${end.plan && JSON.stringify(end.plan)}::jsonb, agent_ms = ${end.agentMs}
    where loop = ${loop} and pass = ${pass} and phase = 'agent' returning pass`

/** The agent phase again later: its pass is neither settled nor counted. */
export const pausePass = (loop: string, pass: number, reason: string) =>
  sql.unsafe`
    update spool.passes set phase = 'agent', next = 'paused', reason = ${reason}
    where loop = ${loop} and pass = ${pass} and phase <> 'settled'`

export type Settlement = { gates: readonly GateResult[]; next: Next; reason: string }

export const settlePass = (loop: string, pass: number, { gates, next, reason }: Settlement) =>
  sql.unsafe`
    update spool.passes set phase = 'settled', gates = ${JSON.stringify(gates)}::jsonb,
      next = ${next}, reason = ${reason}, ended_at = now()
    where loop = ${loop} and pass = ${pass} and phase <> 'settled'`

/** A loop that ends between passes takes its open one along. */
export const closePasses = (loop: string, next: Next, reason: string) =>
  sql.type(z.object({ pass: z.int() }))`
    update spool.passes set phase = 'settled', next = ${next}, reason = ${reason}, ended_at = now()
    where loop = ${loop} and phase <> 'settled' returning pass`

/** The loop's own row gets the sums over its settled passes: whole, so that writing them again counts nothing twice. */
export const sumSettled = (loop: string) =>
  sql.unsafe`
    update spool.loops set settled_passes = s.passes, settled_input_tokens = s.input_tokens,
      settled_cached_tokens = s.cached_tokens, settled_output_tokens = s.output_tokens,
      settled_cost_nano_usd = s.cost_nano_usd
    from (
      select count(distinct p.pass) as passes, coalesce(sum(a.input_tokens), 0) as input_tokens,
        coalesce(sum(a.cached_tokens), 0) as cached_tokens, coalesce(sum(a.output_tokens), 0) as output_tokens,
        coalesce(sum(a.cost_nano_usd), 0) as cost_nano_usd
      from spool.passes p left join spool.attempts a on a.loop = p.loop and a.pass = p.pass
      where p.loop = ${loop} and p.phase = 'settled') s
    where id = ${loop}`
