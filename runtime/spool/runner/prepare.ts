// Before a loop's first pass: its own bare repository, filled from its source once.
import { join } from 'node:path'
import { Fault } from '#kernel/fault.ts'
import { cloneInto, openSource, type Reach } from '../git/source.ts'
import { baseOf, createWork, hasWork, readPlan, type Work } from '../git/work.ts'
import { appendEvent } from '../sql/events.ts'
import { setBase } from '../sql/leases.ts'
import type { LoopRow } from '../sql/loops.ts'
import { EndsLoop, type Run } from './run.ts'

export const workOf = (folder: string, loop: string, signal: AbortSignal): Work => ({
  path: join(folder, 'repos', `${loop}.git`),
  loop,
  signal,
})

export const reachOf = ({ is_trusted }: LoopRow): Reach => (is_trusted ? 'this-machine' : 'public')

/** The base commit, known to the database and on disk. */
export async function prepare(run: Run): Promise<string> {
  const { loop, work, held } = run
  if (!(await hasWork(work))) await clone(run)
  const base = await baseOf(work)
  if (!base || (loop.base !== null && loop.base !== base)) {
    throw new EndsLoop('failed', "The loop's working repository is gone.")
  }
  if (loop.base === null) {
    await assertPlan(run, base)
    await held.write(async (tx) => {
      const isNew = await tx.maybeOne(setBase(loop.id, base))
      if (isNew) await tx.query(appendEvent(loop.id, { event: 'started', base }))
    })
    run.loop = { ...loop, base }
  }
  return base
}

async function clone({ loop, work }: Run): Promise<void> {
  if (loop.base !== null) throw new EndsLoop('failed', "The loop's working repository is gone.")
  try {
    const source = await openSource(loop.spec.repository, reachOf(loop))
    await createWork(work, (unfinished) => cloneInto(unfinished, source, loop.spec.ref))
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    throw new EndsLoop(
      'failed',
      `The repository can't be taken over: ${cause.publicMessage}`,
      cause,
    )
  }
}

async function assertPlan({ loop: { spec }, work }: Run, base: string): Promise<void> {
  if (!spec.plan || (await readPlan(work, base, spec.plan)) !== null) return
  throw new EndsLoop('failed', `The plan ${spec.plan} is not in the repository at ${spec.ref}.`)
}
