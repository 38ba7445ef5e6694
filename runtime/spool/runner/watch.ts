// While an agent runs: waits for its end, books what it spends, and stops it when the loop may not go on.
import { Fault } from '#kernel/fault.ts'
import type { SandboxRecord } from '../../proxy/api.ts'
import type { AgentState } from '../../weaver/api.ts'
import { bookSpent, type Spent } from '../sql/passes.ts'
import { LeaseLost } from './lease.ts'
import { elapsedMs, type Run, SandboxLost } from './run.ts'
import { isPodFailure, isRefusal, type SandboxClient } from './sandbox.ts'

export type Attempt = { pass: number; attempt: number }
export type AgentEnd = { exit: number | null; cut: string | null }
type Stop = 'cancelled' | 'time' | 'idle' | 'denied'

const deniedMsMax = 20_000 // An agent repeats a refused call for 7 s at most before it gives up by itself.

export async function watchAgent(
  run: Run,
  sandbox: SandboxClient,
  attempt: Attempt,
): Promise<AgentEnd> {
  const { held } = run
  const watched = createActivity(run.loop.spec.caps.idle)
  for (;;) {
    const state = await watchOnce(run, sandbox)
    if (state?.state === 'absent') throw new Error('The agent is gone from its sandbox.')
    if (state?.state === 'ended') return toEnd(state, state.cut)
    held.signal.throwIfAborted()
    const record = await lookAt(run, sandbox, attempt)
    const stop = held.cancelled.aborted ? 'cancelled' : isOver(run) ? 'time' : watched(record)
    if (stop) return toEnd(await sandbox.stopAgent(), stop)
  }
}

/** One long poll; cut short where the loop is cancelled meanwhile. */
async function watchOnce(run: Run, sandbox: SandboxClient): Promise<AgentState | undefined> {
  const { config, held, loop } = run
  if (held.cancelled.aborted) return undefined
  const leftMs = Math.max(1, loop.spec.caps.time - elapsedMs(run))
  const waitMs = Math.ceil(Math.min(config.watchMs, leftMs))
  try {
    return await sandbox.watch(waitMs, held.cancelled)
  } catch (error) {
    if (held.cancelled.aborted && !held.signal.aborted) return undefined
    throw error
  }
}

const isOver = (run: Run) => elapsedMs(run) >= run.loop.spec.caps.time

/** What the proxy says now, booked; undefined where it can't be asked now: the next look asks again. */
async function lookAt(
  run: Run,
  sandbox: SandboxClient,
  attempt: Attempt,
): Promise<SandboxRecord | undefined> {
  try {
    const record = (await sandbox.record(0)) ?? silent
    await book(run, attempt, record, 0)
    return record
  } catch (error) {
    if (error instanceof LeaseLost || run.held.signal.aborted) throw error
    run.log.warn(
      { error, loop: run.loop.id },
      'the record of a running agent was not booked; it will be',
    )
    return undefined
  }
}

export const toSpent = ({ usage, costNanoUsd }: SandboxRecord): Spent => ({
  inputTokens: usage.inputTokens,
  cachedTokens: usage.cachedTokens,
  outputTokens: usage.outputTokens,
  costNanoUsd,
})

export const book = (
  { held, loop }: Run,
  { pass, attempt }: Attempt,
  record: SandboxRecord,
  waitMsMax?: number,
) => held.write((tx) => tx.query(bookSpent(loop.id, pass, attempt, toSpent(record))), waitMsMax)

/** Of a sandbox that made no call yet. */
const silent: SandboxRecord = {
  calls: 0,
  inFlight: 0,
  lastActiveAt: null,
  usage: {
    ...{ inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, cacheWrite1hTokens: 0 },
    ...{ outputTokens: 0, reasoningTokens: 0, serverToolCalls: {} },
  },
  costNanoUsd: 0,
  last: null,
  denial: null,
}

/** Watches for calls by their changes, on this process's own clock. */
function createActivity(idleMs: number): (record: SandboxRecord | undefined) => Stop | undefined {
  let activeAt = performance.now()
  let seen = ''
  let deniedAt: number | undefined
  return (record) => {
    if (!record) return undefined // Who can't look, sees no idleness.
    const now = performance.now()
    const latest = `${record.calls} ${record.lastActiveAt}`
    if (latest !== seen) [seen, activeAt] = [latest, now]
    if (isDenied(record)) deniedAt ??= now
    if (deniedAt !== undefined && now - deniedAt > deniedMsMax) return 'denied'
    return now - activeAt > idleMs ? 'idle' : undefined
  }
}

/** The proxy refused, and the agent came no further: its last call is the refused one. */
export const isDenied = ({ denial, last }: SandboxRecord) =>
  denial !== null && (last === null || last.state === 'denied')

function toEnd({ exit, signal }: AgentState, cut: string | null): AgentEnd {
  if (cut === 'lost') throw new SandboxLost()
  return { exit: exit ?? (signal ? 128 : null), cut }
}

const settleMsMax = 5_000 // A call that was cut is settled within a second.
const settlePollMs = 100

/** The record after the sandbox is gone: complete once no call is in flight. */
export async function finalRecord(
  run: Run,
  sandbox: SandboxClient,
  attempt: Attempt,
): Promise<SandboxRecord | undefined> {
  const until = performance.now() + settleMsMax
  for (;;) {
    const record = await sandbox.record()
    if (!record) return undefined
    if (record.inFlight === 0 || performance.now() > until) {
      await book(run, attempt, record)
      return record
    }
    await new Promise((resolve) => setTimeout(resolve, settlePollMs))
  }
}

/** What the agent left is to blame, and not this house. */
export const isAgentsFault = (error: unknown, cut: string | null): error is Fault =>
  error instanceof Fault &&
  (error.code === 'work/refused' || isRefusal(error) || isPodFailure(error) || cut !== null)
