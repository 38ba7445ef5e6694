// Takes loops out of the queue and runs them, as many at once as there are slots.

import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RoleDeps } from '#kernel/role.ts'
import type { Programs } from '../agents/profile.ts'
import type { SpoolConfig } from '../config.ts'
import { claimLoop, type Lease } from '../sql/leases.ts'
import { type LoopRow, readLoop } from '../sql/loops.ts'
import { type Held, holdLoop } from './lease.ts'
import { workOf } from './prepare.ts'
import { runLoop } from './run-loop.ts'

export type Slots = AsyncDisposable & {
  /** Something may be ready now: the queue is looked at without waiting for its next turn. */
  wake(): void
  /** A loop of this process ends at once; one that waits is taken up for its end. */
  cancel(loop: string): void
}

type Options = {
  config: SpoolConfig
  deps: RoleDeps
  owner: string
  /** Where they lie on this machine, for agents without walls. */
  host: Programs
  onWritten: (loop: string) => void
}

const extraSlots = 4 // For cancelled loops alone: their end takes no sandbox, and nobody should wait for it.
const failedMs = 1_000 // A database that is away is not asked without a pause.

export function startSlots({ config, deps, owner, host, onWritten }: Options): Slots {
  const stop = new AbortController()
  const bell = new EventEmitter()
  const running = new Map<string, { held: Held; done: Promise<void> }>()
  const taking = take()
  return {
    wake: () => void bell.emit('ring'),
    cancel(loop) {
      running.get(loop)?.held.cancel()
      bell.emit('ring')
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await taking
      await Promise.all([...running.values()].map(({ done }) => done))
    },
  }

  async function take(): Promise<void> {
    while (!stop.signal.aborted) {
      const rung = once(bell, 'ring', {
        signal: AbortSignal.any([stop.signal, AbortSignal.timeout(config.pollMs)]),
      })
      rung.catch(() => {}) // The next turn has come, or the end: both are looked at above.
      const hasTaken = await takeOne().catch(async (error: unknown) => {
        deps.log.warn({ error }, 'the queue was not read; the next turn tries again')
        await sleep(failedMs, undefined, { signal: stop.signal }).catch(() => {}) // An abort ends the loop above.
        return false
      })
      if (!hasTaken) await rung.catch(() => {}) // As above.
    }
  }

  async function takeOne(): Promise<boolean> {
    if (running.size >= config.parallel + extraSlots) return false
    const only = running.size < config.parallel ? 'any' : 'cancelled'
    const held = [...running.keys()]
    const claimed = await deps.db.maybeOne(
      claimLoop({ owner, leaseMs: config.leaseMs, held, only }),
    )
    if (!claimed) return false
    const lease: Lease = { id: claimed.id, owner, fence: claimed.fence }
    begin(lease)
    return true
  }

  function begin(lease: Lease): void {
    const { db, log } = deps
    const { leaseMs, outageMsMax } = config
    const held = holdLoop(lease, { db, log, leaseMs, outageMsMax, stop: stop.signal, onWritten })
    const done = work(held)
      .catch((error: unknown) =>
        log.warn({ error, loop: lease.id }, 'a runner failed; its lease runs out'),
      )
      .finally(() => {
        running.delete(lease.id)
        bell.emit('ring')
      })
    running.set(lease.id, { held, done })
  }

  async function work(held: Held): Promise<void> {
    await using _ = held
    const { id } = held.lease
    const loop = await held.write((tx) => tx.one(readLoop(id)))
    const { db, log, peers, now, folder } = deps
    const work = workOf(folder, id, held.signal)
    await runLoop({
      config,
      db,
      log,
      peers,
      now,
      folder,
      programs: programsFor(loop, host),
      held,
      loop,
      work,
    })
  }
}

/** Behind walls, Treadle's own programs lie where weaver shows them. */
const walled: Programs = { app: '/opt/treadle/app', node: '/opt/treadle/node/bin/node' }

const programsFor = ({ spec }: LoopRow, host: Programs) =>
  spec.isolation === 'none' ? host : walled
