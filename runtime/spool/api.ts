// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'
import { Duration } from '#kernel/units.ts'
import type { Wire } from '../proxy/api.ts'
import { agentNames } from './agents/profiles.ts'

const nameCharsMax = 63 // It becomes part of a branch name and of a path.
const Name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'Use lower-case letters, digits and inner hyphens.')
  .max(nameCharsMax)

// git check-ref-format's rules, tightened: no option-like start, no `..`, `@{`, control or glob characters.
const Ref = z
  .string()
  .max(200)
  .regex(
    /^(?!-)(?!.*(\.\.|@\{|\/\/|\.lock$|\.lock\/|\/$|\.$))[A-Za-z0-9_][A-Za-z0-9._/-]*$/,
    'Write a branch, tag or commit, such as main or v1.2. It may not start with a hyphen.',
  )

const RelativePath = z
  .string()
  .max(500)
  .regex(
    /^(?!\/)(?!.*(^|\/)\.\.(\/|$))(?!.*(^|\/)\.git(\/|$))[^\0\n]+$/,
    'Write a path inside the repository, such as PLAN.md, without .. or .git.',
  )

const Command = z.union([
  z.string().min(1).max(10_000),
  z.array(z.string().max(10_000)).min(1).max(100),
])

export const Gate = z.strictObject({
  name: Name.meta({ description: 'What the results call it.' }),
  command: Command.meta({
    description: 'A shell line, or a program and its arguments. Exit 0 = green.',
  }),
  timeout: Duration.default(600_000).meta({
    description: 'After it the gate is red. Default 10m.',
  }),
})

export const Caps = z.strictObject({
  iterations: z
    .int()
    .min(1)
    .max(1_000)
    .default(20)
    .meta({ description: 'Passes at most. Default 20.' }),
  time: Duration.default(7_200_000).meta({
    description: 'Wall time of the whole loop. Default 2h.',
  }),
  idle: Duration.default(600_000).meta({
    description: 'A pass without a model call for this long ends the loop. Default 10m.',
  }),
  usd: z
    .number()
    .positive()
    .max(100_000)
    .optional()
    .meta({ description: 'US dollars by the price list.' }),
  tokens: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'Tokens in and out together, cached ones included.' }),
})

export const Agent = z.union([
  z.enum(agentNames),
  z.strictObject({
    command: z.array(z.string().max(10_000)).min(1).max(100).meta({
      description:
        'Program and arguments. `{{prompt}}`, `{{model}}` and `{{origin}}` are filled in; the key is in TREADLE_TOKEN.',
    }),
    wire: z.enum(['anthropic', 'openai-chat', 'openai-responses', 'gemini']),
  }),
])
export type Agent = z.infer<typeof Agent>

/** An agent of `GET /api/agents`. */
export type AgentInfo = {
  name: string
  title: string
  /** refused: it is on this machine, and can't be run in a sandbox as it is. */
  state: 'ready' | 'missing' | 'refused'
  /** Of the program that was found; null where there is none, or it does not tell. */
  version: string | null
  /** With which it was proved; null for Treadle's own. */
  provedVersion: string | null
  proof: 'real program' | 'recorded conversation'
  wires: readonly Wire[]
  /** Where its program was found; told to this machine's owner alone. */
  from: string | null
  licence: string
  memoryBytes: number
  /** What its commands can read of the sandbox's token. */
  token: string
  /** What single exit codes of its program mean. */
  exits: Readonly<Record<number, string>>
  /** What to do where it is not ready. */
  fix: string | null
}

/** A loop as the API takes it: the loop file with its prompt read in and its path made absolute. */
export const NewLoop = z.strictObject({
  name: Name.meta({ description: 'Short name of the loop.' }),
  repository: z
    .string()
    .max(1_000)
    .regex(
      /^(\/[^\0\n]*|(https?|ssh):\/\/[^\s-][^\s]*)$/,
      'Write an absolute path on this machine, or an http(s) or ssh URL.',
    )
    .meta({ description: 'Where the work is: a path, or a URL.' }),
  ref: Ref.default('HEAD').meta({
    description: 'The branch, tag or commit to start from. Default HEAD.',
  }),
  agent: Agent.meta({ description: 'Which agent does the passes.' }),
  model: z.string().min(1).max(200).meta({ description: 'The model the agent asks for.' }),
  provider: Name.optional().meta({
    description: 'A provider by name; else the one that lists the model.',
  }),
  prompt: z.string().min(1).max(200_000).meta({ description: 'What every pass is told.' }),
  plan: RelativePath.optional().meta({
    description: 'A markdown file whose unticked boxes are open items.',
  }),
  gates: z.array(Gate).min(1, 'Name at least one gate: without a proof nothing is done.').max(50),
  promise: z.string().min(1).max(200).default('<promise>COMPLETE</promise>').meta({
    description: 'What the agent says last when all is done.',
  }),
  caps: Caps.prefault({}),
  result: Ref.optional().meta({
    description: 'The branch for the result. Default treadle/NAME-ID.',
  }),
  isolation: z.enum(['namespaces', 'none']).default('namespaces').meta({
    description:
      "none = the agent runs as this machine's user. Ask for it by name only where you trust the agent.",
  }),
})
export type NewLoop = z.infer<typeof NewLoop>
export type NewLoopInput = z.input<typeof NewLoop>

/** The loop file: as NewLoop, but the prompt may stand in a file beside it, and the path may be relative. */
export const LoopFile = NewLoop.omit({ prompt: true, repository: true }).extend({
  repository: z
    .string()
    .min(1)
    .max(1_000)
    .meta({ description: 'A path relative to this file, or a URL.' }),
  prompt: z.string().min(1).max(200_000).optional(),
  promptFile: z
    .string()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: 'Path of the prompt, relative to this file; read when submitted.' }),
})

/** Ending and exit code of `treadle loop run`. A closed set. */
export const endings = {
  done: 0,
  failed: 1,
  'capped: iterations': 10,
  'capped: time': 11,
  'capped: idle': 12,
  'capped: usd': 13,
  'capped: tokens': 14,
  stuck: 20,
  'needs-review': 21,
  denied: 22,
  cancelled: 23,
} as const
export type Ending = keyof typeof endings

export type Usage = { inputTokens: number; cachedTokens: number; outputTokens: number }
export type GateResult = {
  name: string
  exit: number
  ms: number
  timedOut: boolean
  output: string
}

/** What comes after a pass: another one, a pause, or the end. */
export type Next = 'again' | 'paused' | Ending

export type Pass = {
  loop: string
  pass: number
  attempt: number
  phase: 'agent' | 'gates' | 'settled'
  sandbox: string | null
  /** The commit of this pass; the one before it when nothing changed. */
  sha: string | null
  filesChanged: number
  agentExit: number | null
  /** Why the agent ended, where it was not its own doing: cancelled, time, idle, denied, stop, disk, memory, processes, mute. */
  agentCut: string | null
  lastMessage: string | null
  promised: boolean
  openItems: number | null
  gates: GateResult[]
  usage: Usage
  costNanoUsd: number
  next: Next | null
  reason: string | null
  startedAt: string
  endedAt: string | null
  /** The plan as it stood at this pass's commit; null where the loop names none, or there is no commit yet. */
  plan: PlanItem[] | null
  /** How long the agent ran; null while unknown. */
  agentMs: number | null
  /** How long its gates took together; null while unknown. */
  gatesMs: number | null
  hasRecording: boolean
  /** What its commit changed; null where that is not stored. */
  changes: ChangeCounts | null
}

/** A box of the plan. At most 200 are told, each cut at 300 characters. */
export type PlanItem = { text: string; isDone: boolean }

export type ChangeCounts = { files: number; additions: number; deletions: number }

/** `GET /api/loops/:id/passes/:pass/changes` against the commit before the pass; `GET /api/loops/:id/changes` against the base. */
export type Changes = {
  base: string
  sha: string
  /** At most 500. */
  files: ChangedFile[]
  /** True where a file or a part of a patch is left out. `counts` are whole. */
  isCut: boolean
  counts: ChangeCounts
}

/** Names and patches are an agent's: hostile text, to be escaped wherever it is shown. */
export type ChangedFile = {
  path: string
  oldPath: string | null
  status: 'added' | 'modified' | 'deleted' | 'renamed' | 'type'
  /** As git has them: 100644, 100755, 120000 a symlink, 160000 a submodule. Null where there is no file. */
  oldMode: string | null
  mode: string | null
  additions: number
  deletions: number
  /** So git says; a file over 1 MiB counts as binary. */
  isBinary: boolean
  /** Unified hunks without the file's header; empty where binary, where only the mode or the name changed, or too long. */
  patch: string
  /** True where the patch is not whole. */
  isCut: boolean
}

/** What lists and the live stream carry. */
export type LoopSummary = {
  id: string
  org: string
  user: string
  name: string
  state: 'queued' | 'running' | 'paused' | 'ended'
  ending: Ending | null
  exitCode: number | null
  /** One sentence: why it ended, or why it waits. */
  reason: string | null
  /** The loop that this one repeats. */
  retryOf: string | null
  /** True where the model is a rehearsal model: nothing it shows came from a vendor. */
  isRehearsal: boolean
  passes: number
  usage: Usage
  costNanoUsd: number
  branch: string | null
  /** Where the result lies when it could not go to the repository. */
  bundle: string | null
  createdAt: string
  startedAt: string | null
  endedAt: string | null
  repository: string
  ref: string
  /** The agent's name, or `command`. */
  agent: string
  model: string
  caps: NewLoop['caps']
  /** Somebody paused it: no next pass starts until somebody resumes it. A pass that runs goes to its end. */
  isHeld: boolean
  /** The one that runs now. */
  pass: { pass: number; phase: 'agent' | 'gates'; startedAt: string } | null
  /** Of its plan, as its newest commit has it; null where there is no plan, or no commit. */
  openItems: number | null
}

export type Loop = LoopSummary & {
  spec: NewLoop
  /** The commit that it starts from; null until its first pass. */
  base: string | null
}

/** What `GET /api/loops/:id/events` sends, one JSON object a line; `seq` goes up by one within a loop. */
export type LoopEvent = { seq: number; at: string; loop: string; name: string } & (
  | { event: 'started'; base: string }
  | { event: 'phase'; pass: number; phase: Pass['phase'] | 'sandbox' | 'commit'; detail?: string }
  | { event: 'pass'; pass: Pass }
  /** `until` null: somebody paused it, and it waits until somebody resumes it. */
  | { event: 'paused'; reason: string; until: string | null }
  | { event: 'resumed'; reason: string }
  | {
      event: 'ended'
      ending: Ending
      exitCode: number
      reason: string
      branch: string | null
      bundle: string | null
      repository: string
    }
)

/** Lists answer newest first; `cursor` is the last item's id. */
export type Page<T> = { items: T[]; cursor: string | null }

/** `total` counts what matches the filter, on all pages. */
export type LoopPage = Page<LoopSummary> & { total: number }

/**
 * What `GET /api/loops/live` sends: server-sent events, each named by its key here, its data as JSON. Nothing is
 * replayed: after a (re)connect, and after a `health` of `up`, a client reads again what it shows.
 */
export type Live = {
  hello: { at: string; version: string }
  /** A loop that is new or has changed; at most two a second for one loop. */
  loop: LoopSummary
  /** In order of `seq` within a loop. */
  event: LoopEvent
  health: { database: 'up' | 'down' }
}
