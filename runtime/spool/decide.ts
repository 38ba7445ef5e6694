// What comes after a pass. Pure: facts in, decision out. The first line that holds wins.
//
// | what comes          | when                                                                                     |
// | ------------------- | ---------------------------------------------------------------------------------------- |
// | cancelled           | somebody asked for it                                                                    |
// | done                | promise in the last assistant message, no open plan item, every gate green               |
// | denied              | the proxy refused a call, other than for a budget, and the agent came no further         |
// | failed              | the agent could not be started at all                                                    |
// | capped: time        | the loop's wall time is over, or the agent was stopped because of it                     |
// | capped: idle        | the agent was stopped because it made no model call for too long                         |
// | capped: usd, tokens | as much is spent as allowed, or the proxy refused a call for that budget                 |
// | paused              | the provider's rate limit or overload stopped the agent before it changed anything       |
// | needs-review        | the promise was refused in this pass and the two before                                  |
// | stuck               | no progress in this pass and the two before: same tree, same gates; or 5 times one error |
// | capped: iterations  | as many passes are settled as allowed                                                    |
// | again               | otherwise                                                                                |
import { createHash } from 'node:crypto'
import { toNanoUsd, toUsdText } from '#kernel/units.ts'
import type { Ending, GateResult, NewLoop } from './api.ts'
import { toErrorText } from './text.ts'

/** How the agent's part of a pass came to its end: from its exit, and from the proxy's own record. */
export type Outcome = {
  exit: number | null
  /** What ended the agent, where not itself. */
  cut: string | null
  calls: number
  /** The last answer that the agent got. */
  lastStatus: number | null
  lastError: string | null
  retryAfterS: number | null
  /** The proxy's refusal, where the agent came no further after it. */
  denial: { code: string; message: string } | null
  /** Why what the agent left could not be taken over. */
  workRefused: string | null
}

export type PassFacts = {
  outcome: Outcome
  treeChanged: boolean
  promised: boolean
  /** Null where the loop names no plan. */
  openItems: number | null
  /** Empty where no gate ran. */
  gates: readonly GateResult[]
}

export type Situation = {
  caps: NewLoop['caps']
  gatesWanted: number
  cancelled: boolean
  elapsedMs: number
  spent: Spent
  pass: PassFacts
  /** Settled passes before this one, newest first; four are enough. */
  before: readonly PassFacts[]
  /** How many are settled, without this one. */
  settled: number
}
export type Spent = { tokens: number; nanoUsd: number }

export type Decision =
  | { next: 'again'; reason: string }
  | { next: 'paused'; reason: string; waitMs: number }
  | { next: Ending; reason: string }

const noProgressMax = 3
const refusalsMax = 3
const sameErrorMax = 5

export function decide(situation: Situation): Decision {
  for (const rule of rules) {
    const decision = rule(situation)
    if (decision) return decision
  }
  return { next: 'again', reason: whyNotDone(situation) }
}

/** False where no gate can change what comes next: the loop ends or waits in any case. */
export function isWorthGates({
  cancelled,
  elapsedMs,
  caps,
  pass,
}: Omit<Situation, 'before' | 'settled'>): boolean {
  const { cut } = pass.outcome
  return (
    !cancelled && elapsedMs < caps.time && cut !== 'time' && cut !== 'idle' && !isRateLimited(pass)
  )
}

/** The end of a loop that may not even begin its next pass. */
export function decideBefore({
  caps,
  cancelled,
  elapsedMs,
  spent,
}: Pick<Situation, 'caps' | 'cancelled' | 'elapsedMs' | 'spent'>): Decision | undefined {
  if (cancelled) return { next: 'cancelled', reason: cancelReason }
  if (elapsedMs >= caps.time) return { next: 'capped: time', reason: timeReason }
  return overBudget(caps, spent)
}

type Rule = (situation: Situation) => Decision | undefined

const cancelReason = 'It was cancelled.'
const timeReason = 'Its time is over.'

const rules: readonly Rule[] = [
  ({ cancelled }) => (cancelled ? { next: 'cancelled', reason: cancelReason } : undefined),
  (situation) =>
    isDone(situation)
      ? { next: 'done', reason: 'Promised, no item open, every gate green.' }
      : undefined,
  ({ pass }) => denied(pass.outcome),
  ({ pass }) => unstartable(pass.outcome),
  ({ caps, elapsedMs, pass }) =>
    elapsedMs >= caps.time || pass.outcome.cut === 'time'
      ? { next: 'capped: time', reason: timeReason }
      : undefined,
  ({ pass }) =>
    pass.outcome.cut === 'idle'
      ? { next: 'capped: idle', reason: 'The agent made no model call for too long.' }
      : undefined,
  ({ caps, spent, pass }) => overBudget(caps, spent) ?? refusedBudget(pass.outcome),
  rateLimited,
  (situation) =>
    isRepeated(situation, refusalsMax, ({ promised }) => promised)
      ? {
          next: 'needs-review',
          reason: `Its promise was refused ${refusalsMax} times: ${whyNotDone(situation)}`,
        }
      : undefined,
  stuck,
  ({ caps, settled }) =>
    settled + 1 >= caps.iterations
      ? { next: 'capped: iterations', reason: `${caps.iterations} passes are over.` }
      : undefined,
]

function isDone({ pass, gatesWanted }: Situation): boolean {
  const isGreen = pass.gates.length === gatesWanted && pass.gates.every(isGateGreen)
  return pass.promised && (pass.openItems ?? 0) === 0 && isGreen
}

const isGateGreen = ({ exit, timedOut }: GateResult) => exit === 0 && !timedOut

function denied({ denial }: Outcome): Decision | undefined {
  if (!denial || budgetOf(denial.code)) return undefined
  return { next: 'denied', reason: `${denial.code}: ${denial.message}` }
}

const notStarted: readonly (number | null)[] = [126, 127] // POSIX sh: found but not executable; not found.

function unstartable({ exit, calls }: Outcome): Decision | undefined {
  if (calls > 0 || !notStarted.includes(exit)) return undefined
  return { next: 'failed', reason: `The agent's program could not be started: exit ${exit}.` }
}

function overBudget({ usd, tokens }: NewLoop['caps'], spent: Spent): Decision | undefined {
  if (usd !== undefined && spent.nanoUsd >= toNanoUsd(usd)) {
    return {
      next: 'capped: usd',
      reason: `${toUsdText(spent.nanoUsd)} of ${toUsdText(toNanoUsd(usd))} are spent.`,
    }
  }
  if (tokens !== undefined && spent.tokens >= tokens) {
    return { next: 'capped: tokens', reason: `${spent.tokens} of ${tokens} tokens are spent.` }
  }
  return undefined
}

const budgets = { 'budget/usd': 'capped: usd', 'budget/tokens': 'capped: tokens' } as const
const budgetOf = (code: string): Ending | undefined => budgets[code as keyof typeof budgets]

function refusedBudget({ denial }: Outcome): Decision | undefined {
  const next = denial && budgetOf(denial.code)
  return next ? { next, reason: `${denial.code}: ${denial.message}` } : undefined
}

const overloads: readonly (number | null)[] = [429, 503, 529]
const waitSDefault = 15
const waitSMin = 5 // A shorter wait costs more in fresh sandboxes than it saves.
const waitSMax = 300 // A provider that asks for more is asked again in between.

const isRateLimited = ({ outcome, treeChanged, promised }: PassFacts) =>
  overloads.includes(outcome.lastStatus) && !treeChanged && !promised && outcome.cut === null

function rateLimited({ pass, caps, elapsedMs }: Situation): Decision | undefined {
  if (!isRateLimited(pass)) return undefined
  const { retryAfterS, lastStatus } = pass.outcome
  const waitS = Math.min(Math.max(retryAfterS ?? waitSDefault, waitSMin), waitSMax)
  const waitMs = Math.min(waitS * 1_000, caps.time - elapsedMs)
  return {
    next: 'paused',
    reason: `The provider answered ${lastStatus}: rate limited or overloaded.`,
    waitMs,
  }
}

function stuck(situation: Situation): Decision | undefined {
  const { pass, before } = situation
  const passes = [pass, ...before]
  if (
    passes.length >= noProgressMax &&
    passes.slice(0, noProgressMax).every((_, at) => isIdle(passes, at))
  ) {
    return {
      next: 'stuck',
      reason: `No progress in ${noProgressMax} passes. ${lastWords(situation)}`,
    }
  }
  const error = toErrorDigest(pass)
  if (error && isRepeated(situation, sameErrorMax, (facts) => toErrorDigest(facts) === error)) {
    return {
      next: 'stuck',
      reason: `The same error ${sameErrorMax} times. ${lastWords(situation)}`,
    }
  }
  return undefined
}

/** True where a pass left the tree and the gates as it found them; before the first one no gate had run. */
function isIdle(passes: readonly PassFacts[], at: number): boolean {
  const [pass, earlier] = [passes[at]!, passes[at + 1]]
  return !pass.treeChanged && (!earlier || toGatesText(pass) === toGatesText(earlier))
}

const toGatesText = ({ gates }: PassFacts) =>
  gates.map(({ name, exit, timedOut }) => `${name}:${timedOut ? 'late' : exit}`).join()

function isRepeated(
  { pass, before }: Situation,
  times: number,
  holds: (facts: PassFacts) => boolean,
): boolean {
  const passes = [pass, ...before].slice(0, times)
  return passes.length === times && passes.every(holds)
}

/** One value for one error: the red gates with what they printed, or how the agent failed. Null = no error. */
export function toErrorDigest({ gates, outcome }: PassFacts): string | null {
  const red = gates.filter((gate) => !isGateGreen(gate))
  if (red.length > 0)
    return digest(red.map(({ name, output }) => `${name}: ${toErrorText(output)}`))
  const failure = toFailure(outcome)
  return failure && digest([toErrorText(failure)])
}

const digest = (lines: readonly string[]) =>
  createHash('sha256').update(lines.join('\n')).digest('hex')

function toFailure({ exit, cut, lastStatus, lastError, workRefused }: Outcome): string | null {
  if (workRefused) return workRefused
  if (cut) return `The agent was cut: ${cut}.`
  if (lastStatus !== null && lastStatus >= 400)
    return `The model answered ${lastStatus}. ${lastError ?? ''}`.trim()
  return exit === 0 || exit === null ? null : `The agent ended with ${exit}.`
}

function whyNotDone({ pass, gatesWanted }: Situation): string {
  const red = pass.gates.filter((gate) => !isGateGreen(gate)).map(({ name }) => name)
  const parts = [
    red.length > 0 && `red: ${red.join(', ')}`,
    pass.gates.length < gatesWanted && 'gates not run',
    pass.openItems !== null && pass.openItems > 0 && `${pass.openItems} open`,
    !pass.promised && 'no promise',
  ]
  return parts.filter(Boolean).join('; ')
}

/** What a person needs first when nothing moves: how the agent failed, or else what is not proved. */
const lastWords = (situation: Situation) =>
  toFailure(situation.pass.outcome) ?? whyNotDone(situation)
