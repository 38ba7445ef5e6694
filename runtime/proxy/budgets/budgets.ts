// The budgets of one process: what people set, read again and again; what calls hold, in memory; what is leased, in PostgreSQL.
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Account } from './account.ts'
import type { Budget } from './budget.ts'
import { beginEpoch, purge, readChanges } from './budget-store.ts'
import type { BoundOf, SandboxCaps, Wanted } from './fit.ts'
import { createLeaseStore } from './lease-store.ts'
import { createLeases, type LeaseStore } from './leases.ts'
import { createMatcher, type Spender } from './match.ts'
import type { Reservation } from './reservation.ts'
import { type Counts, createReserve } from './reserve.ts'
import { keepUp } from './upkeep.ts'

export type Budgets = AsyncDisposable & {
  /**
   * Holds what the call may come to in all budgets that match, or throws why not. Answers at once where memory suffices.
   * `boundOf` must not fall when the tokens rise. Who gets a reservation ends it, by `settle` or `release`.
   */
  reserve(
    spender: Spender,
    boundOf: BoundOf,
    wanted: Wanted,
    caps?: SandboxCaps,
  ): Reservation | Promise<Reservation>
  /** What is counted for a caller: whether a price is needed, and whether an answer may be clipped. */
  limits(spender: Spender): { usd: boolean; canClip: boolean }
  /** The budgets that count for a caller's calls of a model. */
  explain(spender: Spender): readonly Budget[]
  /** What calls in flight hold here of a budget in the window of the moment. */
  heldHere(budget: number): number
  /** Takes over what people changed. When it resolves, no call begins with what was before. */
  refresh(): Promise<void>
  readonly counts: Readonly<Counts> & { readonly waiting: number; readonly leaseFailures: number }
}

export type EngineOptions = {
  store: LeaseStore
  epoch: number
  now: () => number
  log: Logger
  waitMs?: number
  waitersMax?: number
  retryMs?: number
}

const waitMsUsual = 500 // A refill takes a few milliseconds; a call that ends and frees its bound, longer.
const waitersMaxUsual = 4_000 // Half of them one organisation's: about as many as there may be calls at once.
const freedMs = 2 // Calls that end together free their bounds for those that wait in one look at these.

/** Without database and timers of its own: `keepUp` is to be called again and again. */
export function createEngine({ store, epoch, now, log, ...more }: EngineOptions) {
  const matcher = createMatcher()
  const counts: Counts = { refused: 0, clipped: 0, waited: 0, overBound: 0 }
  let retrying: NodeJS.Timeout | undefined
  const keeper = {
    epoch,
    freed() {
      if (reserve.waiting === 0 || retrying) return
      retrying = setTimeout(() => {
        retrying = undefined
        reserve.retry()
      }, freedMs)
    },
    overBound(account: Account, by: number) {
      counts.overBound += 1
      const { name, org, unit } = account.budget
      log.error(
        { budget: name, org, unit, by },
        'a call came to more than was proved; it is charged',
      )
      leases.tell(account)
    },
  }
  const { waitMs = waitMsUsual, waitersMax = waitersMaxUsual, ...pace } = more
  const reserve = createReserve({
    matcher,
    keeper,
    counts,
    now,
    waitMs,
    waitersMax,
    leases: () => leases,
  })
  const leases = createLeases({
    ...pace,
    store,
    now,
    log,
    needs: reserve.needs,
    onAnswer: reserve.retry,
    onGone: (account) => void matcher.remove(account.budgetId),
  })
  const tell = leases.tell

  const put = (budget: Budget) => {
    for (const account of matcher.put(budget, now()).accounts.values()) tell(account)
    reserve.retry()
  }
  const remove = (id: number) => {
    for (const account of matcher.remove(id)?.accounts.values() ?? []) account.isGone = true
    reserve.retry()
  }
  return {
    matcher,
    counts,
    reserve,
    leases,
    put,
    remove,
    /** At a stop in order: what is leased and not spent is the others' at once. */
    async giveBackAll() {
      leases.close()
      await leases.settled() // What is under way may still bring something.
      for (const { accounts } of matcher.all()) {
        for (const account of accounts.values()) {
          if (account.free <= 0) continue
          account.giveBack(account.free)
          tell(account)
        }
      }
      await leases.settled()
    },
    keepUp: () => keepUp({ matcher, tell }, now()),
    stop() {
      reserve.stop()
      leases.stop()
    },
  }
}
export type Engine = ReturnType<typeof createEngine>

export type StartOptions = {
  db: DatabasePool
  log: Logger
  now: () => Date
  /** The ledger's journal id. All that the last process booked under it must be in the database by now. */
  holder: string
  waitMs?: number
  pollMs?: number
}

const keepUpMs = 500
const purgeMs = 3_600_000
const lastWordMs = 2_000 // Without it, what is leased here is free again when this holder comes back.
const pollMsUsual = 1_000

export async function startBudgets(options: StartOptions): Promise<Budgets> {
  const { db, log, now, holder, pollMs = pollMsUsual, ...more } = options
  await using starting = new AsyncDisposableStack()
  const epoch = await beginEpoch(db, holder)
  const store = createLeaseStore(db, { holder, epoch })
  const engine = createEngine({ store, epoch, log, now: () => now().getTime(), ...more })
  starting.defer(async () => {
    engine.reserve.stop()
    await Promise.race([engine.giveBackAll(), sleep(lastWordMs, undefined, { ref: false })])
    engine.stop()
  })
  const refresh = createRefresh(db, engine)
  await refresh()
  starting.use(startRepeating(refresh, pollMs, log))
  starting.use(startRepeating(async () => engine.keepUp(), keepUpMs, log))
  starting.use(startRepeating(() => purge(db, now()), purgeMs, log))
  return toBudgets(engine, refresh, starting.move())
}

/** One reading after the other, each from where the last one ended. */
function createRefresh(db: DatabasePool, engine: Engine): () => Promise<void> {
  let revision = 0
  let running = Promise.resolve()
  const read = async () => {
    const changes = await readChanges(db, revision)
    for (const { id, budget } of changes.items) {
      if (budget) engine.put(budget)
      else engine.remove(id)
    }
    revision = changes.revision
  }
  return () => {
    const turn = running.then(read)
    running = turn.catch(() => {}) // Told to who asked for it; the next reading stands for itself.
    return turn
  }
}

function toBudgets(engine: Engine, refresh: () => Promise<void>, owned: AsyncDisposable): Budgets {
  const { matcher, counts, reserve, leases } = engine
  return {
    reserve: (spender, boundOf, wanted, caps) =>
      reserve.reserve({ spender, boundOf, wanted, caps }),
    limits(spender) {
      const blocking = matcher
        .find(spender)
        .budgets.filter(({ budget }) => budget.enforce === 'refuse')
      return {
        usd: blocking.some(({ budget }) => budget.unit === 'usd'),
        canClip: blocking.some(({ budget }) => budget.clip === 'allow'),
      }
    },
    explain: (spender) => matcher.find(spender).budgets.map(({ budget }) => budget),
    heldHere(id) {
      const accounts = matcher.get(id)?.accounts.values() ?? []
      return [...accounts].reduce((sum, { held }) => sum + held, 0)
    },
    refresh,
    get counts() {
      return { ...counts, waiting: reserve.waiting, leaseFailures: leases.failures }
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}
