// One call's way over its targets: which is first, and after a failure whether there is a next one. It decides from the
// failure and from what is in memory, and knows nothing of sockets, bodies or money.

import type { FailureClass, Route } from './api.ts'
import type { Failure } from './attempts.ts'
import type { Choice } from './candidates.ts'
import { classify, readRetryAfterMs } from './failure-class.ts'
import type { Health } from './health.ts'

export type Try = { provider: string; status: number | null; class: FailureClass | null }

type Options = {
  /** In the order of trial; those that may not move are left out already. One at least. */
  choices: readonly Choice[]
  first: Choice
  route: Route | undefined
  retry: Route['retry']
  /** Asked once a try failed, for it looks through the body. */
  isReplayable: () => boolean
  health: Health
  now: () => Date
  random: () => number
  /** The conversation was answered there. */
  onHome: (choice: Choice) => void
}

const waitBaseMs = 250
const waitMsMax = 2_000 // A client waits meanwhile, and its own retries are as good.
/** What may pass by itself: worth another try of the same target when no other is left. */
const passing = new Set<FailureClass>(['busy', 'overloaded', 'unsent', 'failed', 'unanswered'])

export class Plan {
  readonly #options: Options
  readonly #tries: Try[] = []
  #current: Choice | null
  #tried: Choice[] = []
  /** The slot that is held: an id that entered and has not left. */
  #held: { id: string; isProbe: boolean } | null = null
  #waitMs = 0
  #isStopped = false

  /** Takes a slot of the first target: `close` must be called, whatever comes. */
  constructor(options: Options) {
    this.#options = options
    this.#current = options.first
    this.#enter(options.first)
  }

  get route(): Route | undefined {
    return this.#options.route
  }
  /** All that may be tried: what the call costs at most is the dearest of these. */
  get choices(): readonly Choice[] {
    return this.#options.choices
  }
  /** Where it goes, or went last. */
  get choice(): Choice {
    return this.#current ?? this.#tried.at(-1)!
  }
  /** Whether it matters how a try ends: there is a choice to be made, now or at the next call. */
  get isNoted(): boolean {
    return this.#options.route !== undefined
  }
  /** What failed, oldest first, and the answer at the end. */
  get tries(): readonly Try[] {
    return this.#tries
  }
  /** How long to wait before the current try is sent. */
  get waitMs(): number {
    return this.#waitMs
  }

  /** The next target; null = none, and the failure at hand goes to the client. Null failure = the first one. `isLast` = no other try. */
  next(failure: Failure | null, isLast = false): Choice | null {
    if (failure === null) return this.#current
    const failed = this.#current
    if (!failed) return null
    const { health, now } = this.#options
    const found = classify(failure)
    const askedMs = readRetryAfterMs(failure, now().getTime())
    this.#note(failed, failure.kind === 'answered' ? failure.status : null, found)
    health.note(failed.provider.id, found, askedMs)
    this.#leave()
    this.#tried.push(failed)
    this.#current =
      found && !isLast && this.#mayRetry(found) ? this.#findNext(found, askedMs) : null
    if (this.#current) this.#enter(this.#current)
    return this.#current
  }

  /** The head that the client gets. */
  answered(status: number): void {
    const answering = this.#current
    if (!answering) return // The failure at hand, which was noted.
    const { health, onHome } = this.#options
    this.#note(answering, status, null)
    health.note(answering.provider.id, null, null)
    if (status < 300) onHome(answering)
  }

  /** What is tried now is the last. */
  stop(): void {
    this.#isStopped = true
  }

  close(): void {
    this.#leave()
  }

  #mayRetry(found: FailureClass): boolean {
    const { retry, isReplayable } = this.#options
    if (this.#isStopped || retry === null || this.#tried.length >= retry.triesMax) return false
    return (retry.on as readonly FailureClass[]).includes(found) && isReplayable()
  }

  #findNext(found: FailureClass, askedMs: number | null): Choice | null {
    const { choices, health } = this.#options
    const other = choices.find(
      (choice) =>
        !this.#tried.includes(choice) &&
        hasSlot(choice, health) &&
        health.isFit(choice.provider.id),
    )
    this.#waitMs = 0
    if (other) return other
    return this.#findAgain(found, askedMs)
  }

  /** The same one again, after a while that doubles. */
  #findAgain(found: FailureClass, askedMs: number | null): Choice | null {
    const { health, random } = this.#options
    const again = this.#tried.at(-1)!
    if (!passing.has(found) || !hasSlot(again, health)) return null
    const own = Math.min(waitBaseMs * 2 ** (this.#tried.length - 1), waitMsMax)
    const waitMs = Math.max(own * (0.5 + random() / 2), askedMs ?? 0)
    if (waitMs > waitMsMax) return null // It asks for more than a client should wait here.
    this.#waitMs = Math.round(waitMs)
    return again
  }

  #note({ provider }: Choice, status: number | null, found: FailureClass | null): void {
    this.#tries.push({ provider: provider.name, status, class: found })
  }

  #enter({ provider }: Choice): void {
    const { id } = provider
    this.#held = { id, isProbe: this.#options.health.enter(id) }
  }

  #leave(): void {
    if (this.#held) this.#options.health.leave(this.#held.id, this.#held.isProbe)
    this.#held = null
  }
}

export const hasSlot = ({ provider }: Choice, health: Health): boolean =>
  provider.callsMax === null || health.inFlight(provider.id) < provider.callsMax
