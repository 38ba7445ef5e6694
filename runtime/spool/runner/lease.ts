// A runner's hold on one loop: heartbeat, fence, and the signals that end it.
//
// | state     | enters when                                     | what its holder does                            |
// | --------- | ----------------------------------------------- | ----------------------------------------------- |
// | held      | a claim gave the lease                          | writes; each write checks owner and fence       |
// | lost      | a heartbeat or a write finds another fence, or  | stops at once, deletes its sandbox, writes      |
// |           | the database stays silent for too long          | nothing more                                    |
// | given up  | its last write gave the lease back              | nothing                                         |
import type { DatabasePool, DatabaseTransactionConnection } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import { holdLease, type Lease, renewLease } from '../sql/leases.ts'
import { isDatabaseAway, withRetries } from './retry.ts'

export type Transaction = DatabaseTransactionConnection

export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

export type Held = AsyncDisposable & {
  lease: Lease
  /** Aborts when the lease is lost or the role stops. */
  signal: AbortSignal
  /** Aborts when somebody cancels the loop. */
  cancelled: AbortSignal
  /** Told by the route of this process, so that nobody waits for a heartbeat. */
  cancel(): void
  /**
   * A transaction that holds the loop's row under this lease; throws LeaseLost under another. While the database is
   * away it is tried again, also where the first try may have been committed: `work` must be safe to run twice, or
   * give the lease back, which makes the second run a LeaseLost.
   */
  write<T>(work: (tx: Transaction) => Promise<T>, waitMsMax?: number): Promise<T>
}

type Options = {
  db: DatabasePool
  log: Logger
  leaseMs: number
  outageMsMax: number
  stop: AbortSignal
  /** After each write. */
  onWritten: () => void
}

export function holdLoop(lease: Lease, options: Options): Held {
  const { db, log, leaseMs, outageMsMax, stop, onWritten } = options
  const lost = new AbortController()
  const cancelled = new AbortController()
  const signal = AbortSignal.any([stop, lost.signal])
  let renewedAt = performance.now()
  const heartbeat = startRepeating(beat, leaseMs / 3, log)
  return {
    lease,
    signal,
    cancelled: cancelled.signal,
    cancel: () => cancelled.abort(),
    write,
    [Symbol.asyncDispose]: () => heartbeat[Symbol.asyncDispose](),
  }

  async function beat(): Promise<void> {
    try {
      const row = await db.maybeOne(renewLease(lease, leaseMs))
      if (!row) return lost.abort(new LeaseLost())
      renewedAt = performance.now()
      if (row.cancelled) cancelled.abort()
    } catch (error) {
      if (performance.now() - renewedAt > outageMsMax) lost.abort(new LeaseLost())
      throw error
    }
  }

  async function write<T>(
    work: (tx: Transaction) => Promise<T>,
    waitMsMax = outageMsMax,
  ): Promise<T> {
    const once = () =>
      db.transaction(async (tx) => {
        const row = await tx.maybeOne(holdLease(lease))
        if (!row) throw new LeaseLost()
        if (row.cancelled) cancelled.abort()
        return work(tx)
      })
    try {
      const result = await withRetries(once, {
        isPassing: isDatabaseAway,
        msMax: waitMsMax,
        signal,
      })
      onWritten()
      return result
    } catch (error) {
      if (error instanceof LeaseLost) lost.abort(error)
      throw error
    }
  }
}
