// Slices of budgets, leased from the database in the background. One statement at a time carries all that is due.
//
// | a slice is | enters when                                            | leaves when                               |
// | ---------- | ------------------------------------------------------ | ----------------------------------------- |
// | asked for  | free falls below the low-water mark, or a call waits   | the database answers                      |
// | free       | it was granted, or a call ended below its bound        | a call holds it, or it is given back      |
// | held       | a call was let in                                      | the call ends                             |
// | spent      | a call ended                                           | never: its line in the ledger books it    |
// | returned   | nobody needed it, its window is over, the budget shrank | never                                    |
//
// Messages carry running totals and a number, so one that is repeated, or comes late, changes nothing.
import type { Logger } from '#kernel/log.ts'
import type { Account } from './account.ts'
import { amountAt, sliceOf } from './budget.ts'

export type LeaseAsk = {
  budget: number
  startMs: number
  /** Null = it has no end. */
  endMs: number | null
  seq: number
  returned: number
  want: number
  /** Fewer would be of no use. */
  least: number
}
/** Totals of this holder, and what there is beside it. */
export type LeaseAnswer = {
  isGone: boolean
  seq: number
  granted: number
  returned: number
  amount: number
  othersSpent: number
  othersHeld: number
  left: number
}
export type LeaseStore = {
  /** Answers in the order of the asks. `fenced` = another process took this holder's place. */
  ask(asks: readonly LeaseAsk[], atMs: number): Promise<readonly LeaseAnswer[] | 'fenced'>
}

/** What calls that wait need of an account, all together and the least of them. */
export type Need = { all: number; least: number }

type Options = {
  store: LeaseStore
  now: () => number
  log: Logger
  needs(): ReadonlyMap<Account, Need>
  onAnswer(): void
  onGone(account: Account): void
  /** After a failure the next try waits so long. */
  retryMs?: number
}

export type Leases = {
  /** Counts the statements, so that a caller knows whether one was sent since it came. */
  readonly sends: number
  readonly isFenced: boolean
  readonly failures: number
  /** Something is to be said about an account. */
  tell(account: Account): void
  /** Resolves when nothing is due, or the database does not answer. */
  settled(): Promise<void>
  /** From now on nothing is leased; what is given back is still told. */
  close(): void
  stop(): void
}

const batchMax = 500 // Each takes a lock on its budget, for as long as the statement runs.
const retryMsUsual = 250
export const dryMs = 250 // After an empty answer nobody asks ahead for so long; a call that waits asks anyway.

export function createLeases(options: Options): Leases {
  const { store, now, log, needs, onAnswer, onGone, retryMs = retryMsUsual } = options
  const due = new Set<Account>()
  const state = { sends: 0, isFenced: false, failures: 0, isClosed: false, isStopped: false }
  let running: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined

  const add = (account: Account) => {
    account.isDue = true
    due.add(account)
  }

  const start = () => {
    if (running || retry || state.isStopped || state.isFenced) return
    running = new Promise<void>((resolve) => setImmediate(resolve)).then(run).finally(() => {
      running = undefined
      if (due.size > 0) start()
    })
  }

  const run = async () => {
    while (due.size > 0 && !state.isStopped) {
      const batch = [...due].slice(0, batchMax)
      for (const account of batch) due.delete(account)
      if (!(await send(batch))) return
      onAnswer()
    }
  }

  const send = async (batch: readonly Account[]): Promise<boolean> => {
    state.sends += 1
    const number = state.sends
    const waiting = needs()
    const atMs = now()
    const asks = batch.map((account) =>
      toAsk(account, waiting.get(account), { atMs, isClosed: state.isClosed }),
    )
    try {
      const answers = await store.ask(asks, atMs)
      if (answers === 'fenced') return fence()
      for (const [index, account] of batch.entries())
        take(account, asks[index]!, answers[index]!, number)
      return true
    } catch (error) {
      fail(batch, error)
      return false
    }
  }

  const take = (account: Account, ask: LeaseAsk, answer: LeaseAnswer, number: number) => {
    account.answeredNumber = number
    account.isUnknown = false
    account.isDue = due.has(account)
    if (answer.isGone) {
      account.isGone = true
      account.isBlocking = false
      return onGone(account)
    }
    const before = account.granted
    applyAnswer(account, answer, now())
    if (account.returnedKnown !== account.returned) add(account)
    if (account.granted - before < ask.want) account.dryAtMs = now()
  }

  const fence = () => {
    state.isFenced = true
    due.clear()
    log.error('another process leases budgets in the name of this one, so no call is let in')
    onAnswer()
    return false
  }

  const fail = (batch: readonly Account[], error: unknown) => {
    if (state.failures % 40 === 0)
      log.warn({ error }, 'budgets could not be leased; calls go on within what is leased')
    state.failures += 1
    for (const account of batch) {
      account.isUnknown = true
      add(account)
    }
    retry = setTimeout(() => {
      retry = undefined
      start()
    }, retryMs).unref()
  }

  return {
    get sends() {
      return state.sends
    },
    get isFenced() {
      return state.isFenced
    },
    get failures() {
      return state.failures
    },
    tell(account) {
      if (account.isGone) return
      add(account)
      start()
    },
    async settled() {
      while (running && !retry) await running
    },
    close() {
      state.isClosed = true
    },
    stop() {
      state.isStopped = true
      clearTimeout(retry)
    },
  }
}

type Moment = { atMs: number; isClosed: boolean }

function toAsk(account: Account, need: Need | undefined, { atMs, isClosed }: Moment): LeaseAsk {
  const { budget, startMs, endMs, free, returned, seq } = account
  const isOpen =
    !isClosed && account.isBlocking && budget.enabled && atMs >= startMs && atMs < endMs
  const ahead = account.isLow ? sliceOf(amountAt(budget, atMs)) - free : 0
  account.isLow = false
  const want = isOpen ? Math.max(0, Math.ceil(ahead), need ? need.all - free : 0) : 0
  const least = need ? Math.max(1, Math.min(need.least - free, want)) : 1
  return {
    budget: account.budgetId,
    startMs,
    endMs: endMs === Number.POSITIVE_INFINITY ? null : endMs,
    seq: account.mustRead ? 0 : seq + 1,
    returned,
    want,
    least,
  }
}

function applyAnswer(account: Account, answer: LeaseAnswer, atMs: number): void {
  if (account.mustRead) {
    // It left when nothing of it was free or held: all that was granted and not returned was spent.
    account.mustRead = false
    account.spent += answer.granted - answer.returned
    account.granted += answer.granted
    account.returned += answer.returned
  } else account.takeGranted(answer.granted)
  account.seq = answer.seq
  // Less than was given back is leased where the row was thrown away, long after its window: nothing is owed to it.
  const isLost = answer.granted < account.returned
  account.returnedKnown = isLost ? account.returned : answer.returned
  const { amount, othersSpent, othersHeld, left } = answer
  account.known = { amount, othersSpent, othersHeld, left, atMs }
}
