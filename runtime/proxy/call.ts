// One model call from its booking to its settlement: watches the relay, reads the answer beside it, and books the end.
import type { Logger } from '#kernel/log.ts'
import type { CallUsage, Operation } from './api.ts'
import type { AlikeBody, KnownBody } from './bodies.ts'
import type { Reservation, Spent } from './budgets/reservation.ts'
import { callLog } from './call-log.ts'
import type { Caller } from './caller.ts'
import type { ProxyConfig } from './config.ts'
import type { RawHeaders, Reply } from './exchange.ts'
import { findHeader } from './headers.ts'
import type { Ledger } from './ledger.ts'
import {
  type Begun,
  type Ending,
  guessTokens,
  noUsage,
  toEndedLine,
  withProvider,
} from './ledger-line.ts'
import { type ToldReply, withAnswerHeaders } from './observe/answer-headers.ts'
import type { Arrival, CallEnding, CallWatch } from './observe/call-watch.ts'
import type { Observer } from './observe/observer.ts'
import type { Verdict } from './policy/verdict.ts'
import type { Prices } from './prices/prices.ts'
import type { LiveProvider } from './providers.ts'
import { type Refusal, sendRefusal } from './refusal.ts'
import type { AttemptEnd, Outcome, Target, Watcher } from './relay.ts'
import type { Plan } from './routing/plan.ts'
import type { Stored } from './routing/stored.ts'
import type { SandboxState } from './sandboxes.ts'
import { toTurn } from './turn.ts'
import type { Turns } from './turns.ts'
import { holdWords } from './unkept-words.ts'
import { Answer } from './wires/answer.ts'
import { AnswerReader } from './wires/reader.ts'

export type CallOptions = {
  begun: Begun
  caller: Caller
  /** Where it goes, and in the end went. */
  plan: Plan
  verdict: Verdict
  body: Buffer
  /** What tells sessions of one API key apart; null = nothing does. */
  session: string | null
  /** The body, for calls that go on from it; null = it is small. */
  known: KnownBody | null
  /** What it goes on from. */
  alike: AlikeBody | null
  reply: Reply
  reservation: Reservation
  state: SandboxState | undefined
  arrival: Arrival
  /** As the client sent them. */
  headers: RawHeaders
  operation: Operation
  answerHeaders: ProxyConfig['answerHeaders']
  /** Called when all is booked. */
  onSettled: () => void
}
type CallDeps = {
  ledger: Ledger
  prices: Prices
  turns: Turns
  stored: Stored
  observer: Observer
  log: Logger
  now: () => Date
}

export class ModelCall implements Watcher {
  readonly #options: CallOptions
  readonly #deps: CallDeps
  readonly #watch: CallWatch
  readonly #told: ToldReply
  #reader: AnswerReader | undefined
  #status: number | null = null
  #retryAfterS: number | null = null
  #outcome: Outcome = 'complete'
  #error: string | null = null

  constructor(options: CallOptions, deps: CallDeps) {
    this.#options = options
    this.#deps = deps
    this.#watch = deps.observer.began(options.begun, options)
    const { reply, answerHeaders, begun } = options
    this.#told = withAnswerHeaders(reply, answerHeaders, () => ({
      call: begun.facts.id,
      overheadMs: this.#watch.overheadMs(),
    }))
  }

  /** Where its answer goes. */
  get reply(): Reply {
    return this.#told.reply
  }

  sent({ provider }: Target): void {
    this.#watch.sent(provider)
  }

  tried(end: AttemptEnd): void {
    this.#watch.tried(end)
  }

  head(status: number, headers: RawHeaders): void {
    const { begun } = this.#options
    this.#status = status
    this.#watch.head(findHeader(headers, 'content-type'))
    this.#retryAfterS = toRetryAfterS(headers, this.#deps.now())
    this.#reader = new AnswerReader({
      wire: begun.facts.wire,
      contentType: findHeader(headers, 'content-type'),
      contentEncoding: findHeader(headers, 'content-encoding'),
      onRead: (answer) => this.#settle(answer),
    })
  }

  data(chunk: Buffer): void {
    const { state } = this.#options
    if (state) state.lastActiveMs = Date.now()
    this.#watch.data(chunk.length)
    this.#reader!.push(chunk)
  }

  end(outcome: Outcome, error: Error | null, refusal: Refusal | null): void {
    const { begun } = this.#options
    this.#watch.lastByte()
    this.#outcome = outcome
    this.#error =
      outcome === 'client-left' ? 'the client left' : (refusal?.message ?? error?.message ?? null)
    if (error)
      this.#deps.log.warn(
        { error, call: begun.facts.id, provider: begun.facts.provider },
        'an upstream failed',
      )
    if (refusal) {
      this.#status = sendRefusal(this.reply, refusal, begun.facts.wire)
      this.#deps.observer.refused(refusal.code)
    }
    if (this.#reader) this.#reader.end()
    else this.#settle(new Answer())
  }

  #settle(answer: Answer): void {
    const { begun, plan, state, reservation, verdict, onSettled } = this.#options
    const { provider, model } = plan.choice
    const { ledger, prices, now } = this.#deps
    const { facts, inputGuess } = begun
    const known = planUsage(this.#outcome, this.#status, answer, inputGuess)
    const { usage } = known
    const cost = prices.cost(provider.kind, model, { ...usage, serviceTier: answer.serviceTier })
    const costNanoUsd = cost?.nanoUsd ?? null
    const isSent = this.#outcome !== 'unsent'
    const spent = this.#toSpent(answer, costNanoUsd ?? 0, usage)
    const isKept = verdict.logging !== 'off'
    const ending: Ending = {
      state: known.state,
      usage,
      serviceTier: answer.serviceTier,
      status: this.#status,
      costNanoUsd,
      isWhollyPriced: cost !== null && cost.unpriced.length === 0,
      stopReason: answer.stopReason,
      toolCalls: answer.toolCalls.length,
      endedAt: now(),
      timing: this.#watch.timing(),
      error: redact(this.#error ?? answer.error, provider),
      text: state && isKept ? answer.text : '', // A sandbox's record shows it; nobody asks for it elsewhere.
      retryAfterS: this.#retryAfterS,
      holds: isSent ? reservation.toLine(spent) : null,
    }
    ledger.end(facts.id, toEndedLine(withProvider(begun, provider.name), ending))
    if (state) holdWords(state, isKept ? '' : answer.text)
    if (isSent) reservation.settle(spent)
    else reservation.release()
    this.#told.settled(costNanoUsd)
    this.#noteStored(answer)
    this.#handTurn(answer)
    this.#tell({ ...known, costNanoUsd, stopReason: answer.stopReason })
    plan.close()
    onSettled()
  }

  /**
   * What budgets are charged. A call that was sent and never answered may have been done in full, as a job in the background
   * will be: they are charged with all that they hold.
   */
  #toSpent({ isPending }: Answer, nanoUsd: number, usage: CallUsage): Spent {
    const { held } = this.#options.reservation
    const tokens = usage.inputTokens + usage.outputTokens
    if (this.#outcome !== 'unanswered' && !isPending) return { nanoUsd, tokens }
    return { nanoUsd: Math.max(nanoUsd, held.nanoUsd), tokens: Math.max(tokens, held.tokens) }
  }

  /** So that what goes on from it finds it again, and nobody else does. */
  #noteStored({ storedId }: Answer): void {
    const { caller, begun, plan } = this.#options
    if (storedId === null || begun.facts.wire !== 'responses') return
    this.#deps.stored.record(storedId, caller.org, plan.choice.provider.name)
  }

  #handTurn(answer: Answer): void {
    const { caller, begun, body: request, session, verdict, known, alike } = this.#options
    if (verdict.logging !== 'full') return
    const isAnswered = this.#status !== null && this.#status < 300
    if (!isAnswered || (answer.text === '' && answer.toolCalls.length === 0)) return
    const head = toTurn({ facts: begun.facts, caller, session, answer })
    this.#deps.turns.hand({ head, request, known, alike })
  }

  #tell(known: Pick<CallEnding, 'state' | 'usage' | 'costNanoUsd' | 'stopReason'>): void {
    const [status, outcome] = [this.#status, this.#outcome]
    const error = outcome === 'complete' ? null : outcome
    this.#watch.ended({ ...known, status, outcome, error })
    const { begun, plan } = this.#options
    const { id: call, wire, model, sandbox, loop } = begun.facts
    const provider = plan.choice.provider.name
    const { state, usage, costNanoUsd } = known
    const { inputTokens, outputTokens } = usage
    const facts = { call, wire, model, provider, sandbox, loop, status, outcome, state }
    const figures = { inputTokens, outputTokens, costNanoUsd, ...this.#watch.timing() }
    callLog(this.#deps.log).info({ ...facts, ...figures }, 'call')
  }
}

/**
 * What the call is booked with. An error answer and one that was never sent cost nothing. Exact usage stays exact also
 * when the client leaves after it came. Otherwise what was reported stands, and what was not is counted by characters.
 */
export function planUsage(
  outcome: Outcome,
  status: number | null,
  answer: Answer,
  inputGuess: number,
): { state: 'settled' | 'estimated'; usage: CallUsage } {
  if (answer.isUsageFinal) return { state: 'settled', usage: answer.usage() }
  const isRefused = outcome !== 'unanswered' && status !== null && status >= 300
  // Some say with status 200 that they refuse.
  if (outcome === 'unsent' || isRefused || answer.isRefused) {
    return { state: 'settled', usage: noUsage }
  }
  const reported = answer.usage()
  const inputTokens = reported.inputTokens || inputGuess
  const outputTokens = Math.max(reported.outputTokens, guessTokens(answer.outputChars))
  return { state: 'estimated', usage: { ...reported, inputTokens, outputTokens } }
}

/** Seconds, or a date (RFC 9110 section 10.2.3). */
function toRetryAfterS(headers: RawHeaders, now: Date): number | null {
  const value = findHeader(headers, 'retry-after')
  if (value === undefined) return null
  const seconds = /^\d{1,9}$/.test(value)
    ? Number(value)
    : (Date.parse(value) - now.getTime()) / 1_000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : null
}

/** An upstream may repeat the credential it was given in its error's text. */
const redact = (text: string | null, { key }: LiveProvider) =>
  text === null ? null : text.replaceAll(key.reveal(), '[redacted]')
