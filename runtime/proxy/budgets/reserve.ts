// Lets a call into all of its budgets or into none, in memory. One that does not fit waits a moment for more to be
// leased, or for other calls to end; then it is clipped, where all who lack room allow that, or refused.
import { Refusal } from '../refusal.ts'
import type { Account } from './account.ts'
import { amountAt } from './budget.ts'
import {
  type Bound,
  type BoundOf,
  clipTokensMinOf,
  findShort,
  fits,
  isUnpriced,
  planClip,
  type SandboxCaps,
  type Short,
  toAmounts,
  type Wanted,
} from './fit.ts'
import { dryMs, type Leases, type Need } from './leases.ts'
import type { Matched, Matcher, Spender } from './match.ts'
import { toHeldRefusal, toSpentRefusal, toUnknownRefusal } from './refuse.ts'
import { HeldReservation, type Keeper, nothingHeld, type Reservation } from './reservation.ts'

export type Ask = {
  spender: Spender
  boundOf: BoundOf
  wanted: Wanted
  caps?: SandboxCaps | undefined
}
type Waiter = Ask & {
  /** The statements sent before it came. */
  number: number
  accounts: readonly Account[]
  bound: Bound
  timer: NodeJS.Timeout
  resolve(reservation: Reservation): void
  reject(refusal: Refusal): void
}

export type Counts = {
  refused: number
  clipped: number
  waited: number
  /** Calls that came to more than was proved, and by how much in each unit. */
  overBound: number
}

type Options = {
  matcher: Matcher
  leases(): Leases
  keeper: Keeper
  counts: Counts
  now: () => number
  /** How long a call waits at most, and how many do. */
  waitMs: number
  waitersMax: number
}

const orgShare = 0.5
const unheardTimes = 10 // So much longer a database that answers, but slowly, is waited for: many budgets may begin at once.
const askAgainMs = 50 // While calls wait, and others may have given something back.

export type Reserve = {
  reserve(ask: Ask): Reservation | Promise<Reservation>
  needs(): ReadonlyMap<Account, Need>
  /** Looks again at those that wait. */
  retry(): void
  readonly waiting: number
  stop(): void
}

export function createReserve(options: Options): Reserve {
  const { matcher, keeper, counts, now, waitMs, waitersMax } = options
  const waiters = new Set<Waiter>()
  const waitingOf = new Map<string, number>()
  let again: NodeJS.Timeout | undefined

  const take = (
    matched: Matched,
    caps: SandboxCaps | undefined,
    bound: Bound,
    clip: number | null,
  ) => {
    const { accounts, isHeld, marks } = matched
    const amounts = toAmounts(bound)
    const made = new HeldReservation(
      { accounts, isHeld, marks, caps, amounts, outputTokensMax: clip },
      keeper,
    )
    noteUse(accounts, now(), options.leases())
    return made
  }

  /** Undefined = it may fit in a moment. */
  const attempt = (
    ask: Ask,
    number: number,
    isLast: boolean,
  ): Reservation | Refusal | undefined => {
    const { spender, boundOf, wanted, caps } = ask
    const atMs = now()
    const matched = matcher.find(spender).at(atMs)
    const bound = boundOf(wanted.outputTokens)
    if (isUnpriced(matched.accounts, caps, bound)) return toUnpriced(spender.model)
    const amounts = toAmounts(bound)
    const short = findShort(matched.accounts, caps, amounts)
    if (short.length === 0) return take(matched, caps, bound, null)
    if (isLast || !short.some((one) => mayGrow(one, number))) {
      const clip = planClip(matched.accounts, caps, { boundOf, wanted, short })
      if (clip !== null) {
        counts.clipped += 1
        return take(matched, caps, boundOf(clip), clip)
      }
    }
    const fewest = Math.min(
      clipTokensMinOf(short, wanted) ?? wanted.outputTokens,
      wanted.outputTokens,
    )
    const least = toAmounts(boundOf(fewest))
    const spent = short.find((one) => roomWithoutHolds(one, caps, atMs) < needOf(one, least))
    if (spent) return toSpentRefusal({ short: spent, caps, amounts: least, atMs })
    if (!isLast) return undefined
    const unknown = short.find((one) => typeof one !== 'string' && isUnheard(one, number))
    if (unknown) return toUnknownRefusal({ short: unknown })
    return toHeldRefusal({ short: short[0]!, caps, amounts: least, atMs })
  }

  const count = (org: string, by: 1 | -1) => {
    const waiting = (waitingOf.get(org) ?? 0) + by
    if (waiting > 0) waitingOf.set(org, waiting)
    else waitingOf.delete(org)
  }

  /** One organisation's calls leave places for those of others. */
  const hasPlace = (org: string) =>
    waiters.size < waitersMax && (waitingOf.get(org) ?? 0) < Math.max(1, waitersMax * orgShare)

  const finish = (waiter: Waiter, found: Reservation | Refusal) => {
    waiters.delete(waiter)
    count(waiter.spender.org, -1)
    clearTimeout(waiter.timer)
    if (!(found instanceof Refusal)) return waiter.resolve(found)
    counts.refused += 1
    waiter.reject(found)
  }

  /** What is too little for the call that left would be of use to another holder's. */
  const leaveRest = ({ accounts, bound }: Waiter) => {
    const amounts = toAmounts(bound)
    for (const account of accounts) {
      const isShort = account.isBlocking && account.needOf(amounts) > account.free
      if (!isShort || account.free <= 0) continue
      if (waiters.values().some((other) => other.accounts.includes(account))) continue
      account.giveBack(account.free)
      options.leases().tell(account)
    }
  }

  const wait = (ask: Ask): Promise<Reservation> => {
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>()
    counts.waited += 1
    const { accounts } = matcher.find(ask.spender).at(now())
    const bound = ask.boundOf(ask.wanted.outputTokens)
    const number = options.leases().sends
    const beganMs = performance.now()
    const { failures } = options.leases()
    const end = () => {
      const found = attempt(waiter, number, true)!
      const isSlow = found instanceof Refusal && found.code === 'budget/unknown'
      const mayAnswer = options.leases().failures === failures
      if (isSlow && mayAnswer && performance.now() - beganMs < unheardTimes * waitMs) {
        waiter.timer = setTimeout(end, waitMs)
        return
      }
      finish(waiter, found)
      leaveRest(waiter)
    }
    const timer = setTimeout(end, waitMs)
    const waiter: Waiter = { ...ask, number, accounts, bound, timer, resolve, reject }
    waiters.add(waiter)
    count(ask.spender.org, 1)
    askFor(waiter)
    return promise
  }

  const askFor = (waiter: Waiter) => {
    const { spender, caps, bound } = waiter
    waiter.accounts = matcher.find(spender).at(now()).accounts // A window may have ended meanwhile.
    for (const short of findShort(waiter.accounts, caps, toAmounts(bound)))
      if (typeof short !== 'string') options.leases().tell(short)
    again ??= setTimeout(() => {
      again = undefined
      for (const waiter of waiters) askFor(waiter)
    }, askAgainMs)
  }

  return {
    reserve(ask) {
      const { spender, boundOf, wanted, caps } = ask
      const matched = matcher.find(spender)
      if (matched.budgets.length === 0 && !caps) return nothingHeld
      matched.at(now())
      if (options.leases().isFenced && matched.budgets.length > 0) throw toFenced()
      const bound = boundOf(wanted.outputTokens)
      const isPriced = bound.nanoUsd !== null || !isUnpriced(matched.accounts, caps, bound)
      if (isPriced && fits(matched.accounts, caps, toAmounts(bound)))
        return take(matched, caps, bound, null)
      const found = attempt(ask, options.leases().sends, false)
      if (!found && hasPlace(spender.org)) return wait(ask)
      const last = found ?? attempt(ask, 0, true)!
      if (!(last instanceof Refusal)) return last
      counts.refused += 1
      throw last
    },
    needs: () => sumNeeds(waiters),
    retry() {
      for (const waiter of waiters) {
        const found = options.leases().isFenced ? toFenced() : attempt(waiter, waiter.number, false)
        if (found) finish(waiter, found)
      }
    },
    get waiting() {
      return waiters.size
    },
    stop() {
      clearTimeout(again)
      for (const waiter of waiters) finish(waiter, toFenced())
    },
  }
}

function noteUse(accounts: readonly Account[], atMs: number, leases: Leases): void {
  for (let i = 0; i < accounts.length; i += 1) {
    const account = accounts[i]!
    account.usedMs = atMs
    const isNew = account.seq === 0 && account.answeredNumber === 0
    const isDry = Math.abs(atMs - account.dryAtMs) < dryMs // The clock may be put back.
    const isLow = account.isBlocking && account.free < account.low && !isDry
    if (isLow || isNew) {
      account.isLow = isLow
      leases.tell(account)
    }
  }
}

const toFenced = () => new Refusal('budget/unknown', 'This proxy leases no budgets any more.', 5)

const toUnpriced = (model: string) =>
  new Refusal('price/none', `Add a price for ${model} to the config, or cap by tokens.`)

const isUnknown = ({ known, isUnknown }: Account) => known === null || isUnknown

/** Nothing was heard of it since the call came: the database is away, or slow. */
const isUnheard = (account: Account, number: number) =>
  isUnknown(account) || account.answeredNumber <= number

/** The database may have more for it than what it said before the call came. */
const mayGrow = (short: Short, number: number) =>
  typeof short !== 'string' && (isUnheard(short, number) || short.known!.left > 0)

const needOf = (short: Short, amounts: { nanoUsd: number; tokens: number }) =>
  short === 'sandbox usd'
    ? amounts.nanoUsd
    : short === 'sandbox tokens'
      ? amounts.tokens
      : short.needOf(amounts)

/** What would be left if all that is held came back: the rest is spent for certain. */
function roomWithoutHolds(short: Short, caps: SandboxCaps | undefined, atMs: number): number {
  if (short === 'sandbox usd') return caps!.nanoUsdMax! - caps!.purse.nanoUsd
  if (short === 'sandbox tokens') return caps!.tokensMax! - caps!.purse.tokens
  const used = short.usedSurely()
  return used === null ? Number.POSITIVE_INFINITY : amountAt(short.budget, atMs) - used
}

function sumNeeds(waiters: ReadonlySet<Waiter>): ReadonlyMap<Account, Need> {
  const needs = new Map<Account, Need>()
  for (const { accounts, bound } of waiters) {
    const amounts = toAmounts(bound)
    for (const account of accounts) {
      const need = account.needOf(amounts)
      const known = needs.get(account) ?? { all: 0, least: Number.POSITIVE_INFINITY }
      const least = account.budget.clip === 'allow' ? 1 : need
      needs.set(account, { all: known.all + need, least: Math.min(known.least, least) })
    }
  }
  return needs
}
