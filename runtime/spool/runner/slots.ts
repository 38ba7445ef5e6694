// Takes loops out of the queue and runs them, as many at once as there are slots.

import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RoleDeps } from '#kernel/role.ts'
import type { Programs } from '../agents/programs.ts'
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
  onWritten: (loop: string, org: string) => void
}

const extraSlots = 4 // For cancelled loops alone: their end takes no sandbox, and nobody should wait for it.
const failedMs = 1_000 // A database that is away is not asked without a pause.

export function startSlots(options: Options): Slots {
  const { config, deps } = options
  const stop = new AbortController()
  const bell = new EventEmitter()
  const runners = createRunners(options, stop.signal, () => bell.emit('ring'))
  const taking = take()
  return {
    wake: () => void bell.emit('ring'),
    cancel(loop) {
      runners.cancel(loop)
      bell.emit('ring')
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await taking
      await runners.ended()
    },
  }

  async function take(): Promise<void> {
    while (!stop.signal.aborted) {
      const turn = AbortSignal.any([stop.signal, AbortSignal.timeout(config.pollMs)])
      // Before the look: what rings in between is not missed. Its turn's end is no failure.
      const rung = once(bell, 'ring', { signal: turn }).catch(() => {})
      if (!(await runners.takeOne().catch(passOver))) await rung
    }
  }

  async function passOver(error: unknown): Promise<false> {
    deps.log.warn({ error }, 'the queue was not read; the next turn tries again')
    await sleep(failedMs, undefined, { signal: stop.signal }).catch(() => {}) // Then the loop above ends.
    return false
  }
}

function createRunners(options: Options, stop: AbortSignal, onEnd: () => void) {
  const { config, deps, owner, onWritten } = options
  const { db, log } = deps
  const running = new Map<string, { held: Held; done: Promise<void> }>()
  return {
    takeOne,
    cancel: (loop: string) => running.get(loop)?.held.cancel(),
    ended: () => Promise.all([...running.values()].map(({ done }) => done)),
  }

  /** True where a loop was taken: there may be another. */
  async function takeOne(): Promise<boolean> {
    if (running.size >= config.parallel + extraSlots) return false
    const only = running.size < config.parallel ? 'any' : 'cancelled'
    const held = [...running.keys()]
    const row = await db.maybeOne(claimLoop({ owner, leaseMs: config.leaseMs, held, only }))
    if (row) begin({ id: row.id, owner, fence: row.fence }, row.org)
    return row !== null
  }

  function begin(lease: Lease, org: string): void {
    const tell = () => onWritten(lease.id, org)
    const held = holdLoop(lease, { ...config, db, log, stop, onWritten: tell })
    const done = work(held, options)
      .catch((error: unknown) => {
        log.warn({ error, loop: lease.id }, 'a runner failed; its lease runs out')
      })
      .finally(() => {
        running.delete(lease.id)
        tell()
        onEnd()
      })
    running.set(lease.id, { held, done })
  }
}

async function work(held: Held, { config, deps, host }: Options): Promise<void> {
  await using _ = held
  const { id } = held.lease
  const loop = await held.write((tx) => tx.one(readLoop(id)))
  const { db, log, peers, now, folder } = deps
  const programs = programsFor(loop, host)
  const at = workOf(folder, id, held.signal)
  await runLoop({ config, db, log, peers, now, folder, programs, held, loop, work: at })
}

/** Behind walls, Treadle's own programs lie where weaver shows them. */
const walled: Omit<Programs, 'agents'> = {
  app: '/opt/treadle/app',
  node: '/opt/treadle/node/bin/node',
}

const programsFor = ({ spec }: LoopRow, host: Programs) =>
  spec.isolation === 'none' ? host : { ...host, ...walled }
