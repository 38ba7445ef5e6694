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
      team: z.string().optional(),
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
  /**
   * What ended it, where not itself: stop, time, disk, memory, processes; mute (the sandbox's daemon fell silent, as
   * when an agent stops it); lost (the sandbox is gone).
   */
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

// A terminal: a WebSocket at `GET /api/sandboxes/:id/terminal?instance=&offset=&mode=`, for many viewers and one writer.
//
// Binary from the server is what the agent wrote, binary to it are keys; text is one JSON message of those below.
// A viewer counts: the first byte after `hello` has hello's `offset`. After a break it comes back with `instance` and
// the offset it wants next, and misses nothing, or is told how much. The server closes with:
//
// | code | meaning                                                          | come back?          |
// | ---- | ---------------------------------------------------------------- | ------------------- |
// | 1000 | the agent has ended; `ended` came before it                      | no                  |
// | 1001 | the server stops                                                 | by offset, later    |
// | 1003 | a text that is none of these messages                            | no                  |
// | 1009 | a message over 64 KiB                                            | no                  |
// | 1011 | the daemon in the sandbox broke off                              | by offset, later    |
// | 1013 | the viewer was too slow: what it wants next is kept no more      | by offset, at once  |
// | 4410 | the sandbox has ended; the close reason says why, e.g. `deleted` | no                  |
//
// Anything else (1006: the line broke): by offset. Before it opens, refusals are HTTP: 400 401 403 404, 409
// (`weaver/refused`: no agent was started yet), 410 (`weaver/ended`), 502, 503 (`weaver/full`).

export const TerminalQuery = z
  .strictObject({
    /** Of an earlier `hello`; goes together with `offset`. */
    instance: z
      .string()
      .regex(/^[\w-]{1,64}$/)
      .optional(),
    /** The first byte that is wanted. */
    offset: z
      .string()
      .regex(/^\d{1,15}$/, 'Write a whole number of bytes.')
      .optional(),
    /**
     * `view` watches, with the right `sandbox:read`; `write` (the default) wants `sandbox:attach` and has the
     * writer's place from the start, if it is free.
     */
    mode: z.enum(['view', 'write']).default('write'),
  })
  .refine(({ instance, offset }) => (instance === undefined) === (offset === undefined), {
    path: ['offset'],
    message: 'Give instance and offset together, or none of them.',
  })
export type TerminalQuery = z.infer<typeof TerminalQuery>

/** Who types: this viewer, another one, or nobody. */
export type TerminalWriter = 'you' | 'other' | null

export type TerminalHello = {
  type: 'hello'
  /** This start of the agent's terminal; offsets of another one mean nothing here. */
  instance: string
  /** Of the first byte that follows. */
  offset: number
  /**
   * How many bytes are missing between what was asked for and `offset`: 0 = none, or nothing was asked for. Null where
   * what was asked for is not of this instance: then all is shown anew.
   */
  gap: number | null
  cols: number
  rows: number
  writer: TerminalWriter
  /** How many watch, this one included. */
  viewers: number
  /** Whether `take` would be heard: the right `sandbox:attach`. */
  mayWrite: boolean
}

/** Text from the server. `hello` is the first message; the others come when something changes. */
export type TerminalNews =
  | TerminalHello
  | { type: 'writer'; writer: TerminalWriter }
  | { type: 'viewers'; viewers: number }
  | { type: 'size'; cols: number; rows: number }
  /** To keys, a size or a `take` that were not heard; the reason is a sentence. */
  | { type: 'refused'; reason: string }
  /** The last message. */
  | { type: 'ended'; exit: number | null; signal: string | null }

const Side = z.int().min(1).max(1_000) // The kernel takes 65,535 and programs allocate by it.

/** Text to the server. A size is the writer's to say. */
export const TerminalOrder = z.union([
  z.strictObject({ type: z.literal('resize').default('resize'), cols: Side, rows: Side }),
  /** Become the writer, also where another one is. */
  z.strictObject({ type: z.literal('take') }),
  z.strictObject({ type: z.literal('release') }),
])
export type TerminalOrder = z.infer<typeof TerminalOrder>

// `GET /api/sandboxes/:id/agent/recording` answers asciicast v2 (application/x-asciicast), at most 4 MiB: a header,
// then `[seconds, "o", text]` for output and `[seconds, "r", "COLSxROWS"]` for sizes. What is too long lost its head;
// `timestamp` + seconds is the time of day all the same.
