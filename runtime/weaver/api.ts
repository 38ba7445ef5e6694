// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'

export const NewSandbox = z.strictObject({
  org: z.string().min(1),
  user: z.string().min(1),
  purpose: z.enum(['agent', 'gates']),
  isolation: z.enum(['namespaces', 'none']),
  /** The loop's pass it serves. */
  loop: z.string().min(1),
  pass: z.int().min(1),
  attempt: z.int().min(1),
  /** Given for an agent: what its token may do at the proxy. Without it there is no way out at all. */
  model: z
    .strictObject({
      model: z.string().min(1),
      provider: z.string().optional(),
      nanoUsdMax: z.int().optional(),
      tokensMax: z.int().optional(),
      /** The token's life; the pass's time cap, and some. */
      lifeMs: z.int().min(1_000),
    })
    .optional(),
})
export type NewSandbox = z.infer<typeof NewSandbox>

/** One fact about the isolation, measured from inside. */
export type Probe = { name: string; held: boolean; detail: string }
export type Level = {
  backend: 'bubblewrap' | 'unshare' | 'none'
  /** What limits memory and processes: a cgroup, or rlimits and a watchdog. */
  limits: 'cgroup' | 'rlimits'
  probes: Probe[]
}

export type Sandbox = {
  id: string
  org: string
  user: string
  purpose: 'agent' | 'gates'
  loop: string
  pass: number
  attempt: number
  state: 'ready' | 'ended'
  level: Level
  wasWarm: boolean
  createdAt: string
  endedAt: string | null
  endReason: string | null
}

/** `{{origin}}` in argv, env and file contents becomes the sandbox's own URL of the proxy, without a slash at the end. */
export const AgentStart = z.strictObject({
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  /** Written below the sandbox's home before the start. */
  files: z.array(z.strictObject({ path: z.string(), content: z.string() })),
  timeMsMax: z.int().min(1),
})
export type AgentStart = z.infer<typeof AgentStart>

export type AgentState = {
  state: 'absent' | 'running' | 'ended'
  exit: number | null
  signal: string | null
  /** What ended it, where not itself: stop, time, disk, memory, processes, lost. */
  cut: string | null
  outputBytes: number
  startedAt: string | null
  endedAt: string | null
}

export const Exec = z.strictObject({
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()).default({}),
  timeoutMs: z.int().min(1).max(86_400_000),
})
export type Exec = z.infer<typeof Exec>
/** `output` is stdout and stderr as they came, the last 64 KiB. `exit` is 124 after a time-out, 128 + n after signal n. */
export type ExecResult = {
  exit: number
  ms: number
  timedOut: boolean
  output: string
  outputBytes: number
}

export const Snapshot = z.strictObject({
  /** Commit the workspace was checked out at. */
  base: z.string().regex(/^[0-9a-f]{40}$/),
  message: z.string().min(1).max(10_000),
})
export type Snapshot = z.infer<typeof Snapshot>
// The answer to a snapshot is a git bundle (empty body: nothing changed) with `x-treadle-sha` and `x-treadle-files-changed`.
