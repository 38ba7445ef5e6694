// What one call is seen to do, and when: by the monotonic clock, so that a clock that jumps spoils no figure.
import type { CallUsage, Operation } from '../api.ts'
import type { RawHeaders } from '../exchange.ts'
import type { Begun } from '../ledger-line.ts'
import type { AttemptEnd, Outcome } from '../relay.ts'
import { toErrorClass } from './error-class.ts'

/** How a call came to its end. */
export type CallEnding = {
  outcome: Outcome
  status: number | null
  state: 'settled' | 'estimated'
  usage: CallUsage
  /** Null = no price. */
  costNanoUsd: number | null
  stopReason: string | null
  /** What went wrong on the way, as a class: a code of an error, never its words. */
  error: string | null
}

/** Milliseconds since the call was booked; `intakeMs` is what came before that. Null = it did not come to it. */
export type Timing = {
  /** From the request's head until the call was booked: its body, and all that is decided about it. */
  intakeMs: number
  sentMs: number | null
  firstByteMs: number | null
  lastByteMs: number | null
}

/** When a request's head was there, and how long its body was waited for. */
export type Arrival = { atMs: number; bodyMs: number }

export type Failed = { provider: string; kind: Begun['kind']; class: string }
const none: readonly Failed[] = []

type Heard = { ended(watch: CallWatch, ending: CallEnding): void }

export class CallWatch {
  readonly begun: Begun
  readonly arrival: Arrival
  readonly headers: RawHeaders
  readonly bookedAtMs = performance.now()
  sentAtMs: number | null = null
  headAtMs: number | null = null
  firstByteAtMs: number | null = null
  lastByteAtMs: number | null = null
  isStream = false
  bytes = 0
  /** Where it goes, and in the end went. */
  provider: string | null
  kind: Begun['kind']
  retries = 0
  readonly operation: Operation
  /** Of all tries: whose, and what went wrong. */
  failures: readonly Failed[] = none
  readonly #heard: Heard

  constructor(begun: Begun, { arrival, headers, operation }: Asked, heard: Heard) {
    this.begun = begun
    this.operation = operation
    this.arrival = arrival
    this.headers = headers
    this.provider = begun.facts.provider
    this.kind = begun.kind
    this.#heard = heard
  }

  /** It was handed to an upstream; again where that is a further try. */
  sent(to: { name: string; kind: Begun['kind'] }): void {
    this.provider = to.name
    this.kind = to.kind
    if (this.sentAtMs !== null) this.retries += 1
    this.sentAtMs ??= performance.now()
  }

  /** A try is over, however. */
  tried(end: AttemptEnd): void {
    const errorClass = toErrorClass(end)
    if (errorClass === null) return
    const { name, kind } = end.target.provider
    this.failures = [...this.failures, { provider: name, kind, class: errorClass }]
  }

  head(contentType: string | undefined): void {
    this.headAtMs = performance.now()
    this.isStream = contentType?.startsWith('text/event-stream') === true
  }

  data(bytes: number): void {
    this.firstByteAtMs ??= performance.now()
    this.bytes += bytes
  }

  lastByte(): void {
    this.lastByteAtMs ??= performance.now()
  }

  ended(ending: CallEnding): void {
    this.lastByte()
    this.#heard.ended(this, ending)
  }

  timing(): Timing {
    const since = (at: number | null) => (at === null ? null : Math.round(at - this.bookedAtMs))
    return {
      intakeMs: Math.round(this.bookedAtMs - this.arrival.atMs),
      sentMs: since(this.sentAtMs),
      firstByteMs: since(this.headAtMs),
      lastByteMs: this.headAtMs === null ? null : since(this.lastByteAtMs),
    }
  }

  /** What this proxy added before the upstream had the request. Waiting for the client's own bytes is not of it. */
  overheadMs(): number {
    const sentAt = this.sentAtMs ?? performance.now()
    return Math.max(0, sentAt - this.arrival.atMs - this.arrival.bodyMs)
  }
}

/** What a request came with. */
export type Asked = { arrival: Arrival; headers: RawHeaders; operation: Operation }
