// How a pass and a loop are written down. Each function gives the lease back in the transaction that says why,
// so that a commit whose answer was lost can't be done twice.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#kernel/fault.ts'
import { type Ending, endings, type GateResult } from '../api.ts'
import type { Decision } from '../decide.ts'
import { bundleResult, deliver } from '../git/deliver.ts'
import { openSource } from '../git/source.ts'
import { hasWork } from '../git/work.ts'
import { branchOf } from '../loop.ts'
import { toPass } from '../pass.ts'
import { appendEvent } from '../sql/events.ts'
import { endLoop, pauseLoop, releaseLoop } from '../sql/leases.ts'
import { closePasses, pausePass, readPass, settlePass, sumSettled } from '../sql/passes.ts'
import type { Transaction } from './lease.ts'
import { reachOf } from './prepare.ts'
import type { Run } from './run.ts'

export type Settling = {
  pass: number
  gates: readonly GateResult[]
  decision: Decision
  base: string
  sha: string
}

export async function settle(run: Run, settling: Settling): Promise<void> {
  const { decision, pass, gates } = settling
  const { id } = run.loop
  if (decision.next === 'paused') return pause(run, { ...decision, pass, failures: 0 })
  if (decision.next !== 'again') {
    return end(run, { ending: decision.next, reason: decision.reason, work: settling, settling })
  }
  await run.held.write(async (tx) => {
    await settleIn(tx, id, pass, { gates, next: 'again', reason: decision.reason })
    await tx.query(releaseLoop(id))
  })
}

type Settled = Parameters<typeof settlePass>[2]

async function settleIn(
  tx: Transaction,
  loop: string,
  pass: number,
  settled: Settled,
): Promise<void> {
  await tx.query(settlePass(loop, pass, settled))
  await tx.query(sumSettled(loop))
  await tellPass(tx, loop, pass)
}

const tellPass = async (tx: Transaction, loop: string, pass: number) =>
  tx.query(appendEvent(loop, { event: 'pass', pass: toPass(await tx.one(readPass(loop, pass))) }))

export type Pause = { waitMs: number; reason: string; failures: number; pass?: number }

/** With a pass: that pass is done again, and not counted. */
export async function pause(
  { held, loop }: Run,
  { waitMs, reason, failures, pass }: Pause,
): Promise<void> {
  await held.write(async (tx) => {
    if (pass !== undefined) await tx.query(pausePass(loop.id, pass, reason))
    const { until } = await tx.one(pauseLoop(loop.id, Math.round(waitMs), reason, failures))
    await tx.query(
      appendEvent(loop.id, { event: 'paused', reason, until: new Date(until).toISOString() }),
    )
  })
}

export type Finish = {
  ending: Ending
  reason: string
  /** What there is to deliver, if anything. */
  work?: { base: string; sha: string } | undefined
  settling?: Pick<Settling, 'pass' | 'gates'>
}

/** Delivers what was done, then ends the loop. Cut short in between, it does both again: no harm is done. */
export async function end(run: Run, { ending, reason, work, settling }: Finish): Promise<void> {
  const { held, loop } = run
  const { branch, bundle, note } = await place(run, ending, work)
  const why = note ? `${reason} ${note}` : reason
  await held.write(async (tx) => {
    if (settling)
      await settleIn(tx, loop.id, settling.pass, { gates: settling.gates, next: ending, reason })
    const closed = await tx.any(closePasses(loop.id, ending, reason))
    if (closed.length > 0) await tx.query(sumSettled(loop.id))
    for (const { pass } of closed) await tellPass(tx, loop.id, pass)
    await tx.query(endLoop(loop.id, { ending, reason: why, branch, bundle }))
    await tx.query(
      appendEvent(loop.id, {
        event: 'ended',
        ending,
        exitCode: endings[ending],
        reason: why,
        branch,
        bundle,
        repository: loop.spec.repository,
      }),
    )
  })
  await rm(run.work.path, { recursive: true, force: true })
}

type Placed = { branch: string | null; bundle: string | null; note?: string }
const nowhere: Placed = { branch: null, bundle: null }

/** Unfinished work is kept as well: the branch holds it, and the ending says that it is not done. */
async function place(run: Run, ending: Ending, work: Finish['work']): Promise<Placed> {
  const { loop, folder } = run
  if (!work || !(await hasWork(run.work))) return nowhere
  if (work.sha === work.base && ending !== 'done') return nowhere
  const result = { ...work, branch: branchOf(loop.id, loop.spec) }
  const delivered = await tryDeliver(run, result)
  if ('branch' in delivered) return { branch: delivered.branch, bundle: null }
  if (work.sha === work.base)
    return { ...nowhere, note: `Nothing was changed. ${delivered.reason}` }
  const bundle = join(folder, 'results', `${loop.id}.bundle`)
  await bundleResult(run.work, result, bundle)
  return { branch: null, bundle, note: `The result is in a bundle: ${delivered.reason}` }
}

async function tryDeliver(run: Run, result: Parameters<typeof deliver>[2]) {
  try {
    const source = await openSource(run.loop.spec.repository, reachOf(run.loop))
    return await deliver(run.work, source, result)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { reason: error.publicMessage }
  }
}
