// One lease's worth of a loop: one pass from where it stands, or the loop's end.

import { Fault } from '#kernel/fault.ts'
import type { GateResult } from '../api.ts'
import { type Decision, decide, decideBefore, isWorthGates, type Situation } from '../decide.ts'
import { toFacts } from '../pass.ts'
import { returnLoop } from '../sql/leases.ts'
import { readLoop } from '../sql/loops.ts'
import { lastPasses, type PassRow } from '../sql/passes.ts'
import { openAttempt, runAgent } from './agent-phase.ts'
import { advance, runGates } from './gates-phase.ts'
import { LeaseLost } from './lease.ts'
import { prepare } from './prepare.ts'
import {
  clientDeps,
  EndsLoop,
  elapsedMs,
  Rests,
  type Run,
  SandboxLost,
  spentOf,
  Waits,
} from './run.ts'
import { deleteLeftovers } from './sandbox.ts'
import { end, pause, settle } from './settle.ts'

const failuresMax = 3 // Of this house in a row; then a person must look.
const failureWaitMs = 2_000 // Times the failures so far.
const postponeMs = 60_000 // Long enough that somebody can make room.
const fullWaitMs = 10_000 // A sandbox's place is free when some other pass ends.
const historyMax = 6 // This pass, and the four before it that a decision looks at; one more for their gates.

export async function runLoop(run: Run): Promise<void> {
  try {
    await runPass(run)
  } catch (error) {
    if (error instanceof LeaseLost)
      return run.log.warn({ loop: run.loop.id }, 'lost a lease; another runner goes on')
    if (error instanceof Rests || run.held.signal.aborted) return giveBack(run)
    await recover(run, error).catch((again: unknown) => postpone(run, again))
  }
}

async function runPass(run: Run): Promise<void> {
  const early = decideBefore(toSituation(run))
  if (early && run.loop.base === null) return end(run, toFinish(early))
  const base = await prepare(run)
  const passes = await readPasses(run)
  const open = passes.find(({ phase }) => phase !== 'settled')
  if (open) await deleteLeftovers(run.loop.id, clientDeps(run))
  const from = passes.find((pass) => pass !== open)?.sha ?? base
  if (open?.phase !== 'gates') {
    const beginning = decideBefore(toSituation(run))
    if (beginning) return end(run, { ...toFinish(beginning), work: { base, sha: from } })
    await runAgent(run, await openAttempt(run, open, run.loop.passes), from)
  }
  await finish(run, base)
}

const readPasses = ({ held, loop }: Run) =>
  held.write((tx) => tx.any(lastPasses(loop.id, historyMax)))

/** From the stored commit on: the gates, the decision, and its record. */
async function finish(run: Run, base: string): Promise<void> {
  const [pass, ...before] = await readPasses(run)
  run.loop = await run.held.write((tx) => tx.one(readLoop(run.loop.id))) // With what this pass has spent.
  const { sha } = pass!
  await advance(run, sha!)
  const gates = await runWorthyGates(run, pass!)
  const decision = decide({
    ...toSituation(run),
    pass: { ...toFacts(pass!), gates },
    before: before.map(toFacts),
    settled: run.loop.passes,
  })
  await settle(run, { pass: pass!.pass, gates, decision, base, sha: sha! })
}

async function runWorthyGates(run: Run, pass: PassRow): Promise<GateResult[]> {
  const isWorth = isWorthGates({ ...toSituation(run), pass: toFacts(pass) })
  return isWorth ? runGates(run, pass) : []
}

const toSituation = (run: Run): Omit<Situation, 'pass' | 'before' | 'settled'> => ({
  caps: run.loop.spec.caps,
  gatesWanted: run.loop.spec.gates.length,
  cancelled: run.held.cancelled.aborted || run.loop.cancelled_at !== null,
  elapsedMs: elapsedMs(run),
  spent: spentOf(run),
})

function toFinish({ next, reason }: Decision) {
  if (next === 'again' || next === 'paused') throw new Error(`${next} is no ending`)
  return { ending: next, reason }
}

/** The role stops, or the loop rests: whoever takes it next goes on from the phase that is stored. */
async function giveBack({ held, db, loop, log }: Run): Promise<void> {
  if (held.signal.reason instanceof LeaseLost) return
  await db
    .query(returnLoop(held.lease))
    .catch((error: unknown) =>
      log.warn({ error, loop: loop.id }, 'a lease was not given back; it runs out by itself'),
    )
}

/** What went wrong was not the agent's doing, except where it says that the loop ends. */
async function recover(run: Run, error: unknown): Promise<void> {
  if (error instanceof Waits) {
    return pause(run, { waitMs: fullWaitMs, reason: error.message, failures: run.loop.failures })
  }
  run.log.warn({ error, loop: run.loop.id }, 'a pass failed')
  if (error instanceof EndsLoop) return endWithWork(run, error)
  const failures = run.loop.failures + 1
  const reason =
    error instanceof SandboxLost ? error.message : `This machine failed: ${toText(error)}`
  if (failures >= failuresMax) return endWithWork(run, new EndsLoop('failed', reason))
  await pause(run, { waitMs: failureWaitMs * failures, reason, failures })
}

/** Even its end failed: a full disk, for one. A person sees why, and it is tried again. */
async function postpone(run: Run, error: unknown): Promise<void> {
  if (run.held.signal.aborted) throw error
  const { failures } = run.loop
  await pause(run, {
    waitMs: postponeMs,
    reason: `This machine failed: ${toText(error)}`,
    failures,
  })
}

const toText = (error: unknown) =>
  error instanceof Fault
    ? error.publicMessage
    : error instanceof Error
      ? error.message
      : String(error)

async function endWithWork(run: Run, { ending, message }: EndsLoop): Promise<void> {
  const passes = await readPasses(run)
  const sha = passes.find((pass) => pass.sha !== null)?.sha
  const { base } = run.loop
  await end(run, { ending, reason: message, work: base && sha ? { base, sha } : undefined })
}
