// Carries one call: request out, answer back, byte for byte. It knows nothing of models, usage or money;
// who wants to know watches (Watcher), and the client has each byte before the watcher does.
//
// | client                | upstream               | outcome                                                    |
// | --------------------- | ---------------------- | ---------------------------------------------------------- |
// | stays                 | answers to the end     | complete                                                   |
// | leaves                | -                      | client-left: the upstream is aborted at once               |
// | leaves                | not yet connected      | unsent                                                     |
// | stays                 | dies inside its answer | cut: the client's socket is reset, never ended cleanly     |
// | stays                 | dies or is late before | unanswered: 502 or 504; it may have done the work          |
// | stays                 | can't be reached       | unsent: 502 or 504; it provably did nothing                |
// | reads nothing for long| -                      | client-left                                                |
// | leaves, with `drains` | was sent the request   | client-left, once its answer is at its end; cut or         |
// |                       |                        | unanswered where that fails. No further try begins         |
//
// A failed try may be followed by another one (Attempts) as long as nothing reached the client.
import { AddressError } from '#kernel/address.ts'
import type { Drain, Drains } from './drains.ts'
import type { RawHeaders, Reply } from './exchange.ts'
import { toClientHeaders } from './headers.ts'
import type { LiveProvider } from './providers.ts'
import { Refusal } from './refusal.ts'
import { isTimeout } from './upstream/error.ts'
import type { ResponseHead } from './upstream/response.ts'
import type { Sent, UpstreamCall, UpstreamHandler } from './upstream/upstream.ts'

export type Outcome = 'complete' | 'client-left' | 'cut' | 'unanswered' | 'unsent'

export type Watcher = {
  /** An upstream gets the request now; again where that is a further try. */
  sent?(target: Target): void
  head(status: number, headers: RawHeaders): void
  data(chunk: Buffer): void
  /** Called once, last. `refusal` is what the client is to be told, where nothing was sent to it yet. */
  end(outcome: Outcome, error: Error | null, refusal: Refusal | null): void
}

/** Where a call is sent to, and what. */
export type Target = {
  provider: LiveProvider
  /** POST, where none is named. */
  method?: string
  path: string
  headers: readonly string[]
  body: Buffer
  /** How long to wait before it is sent. */
  afterMs?: number
}
export type Failure =
  | { kind: 'unsent' | 'unanswered'; error: Error }
  | {
      kind: 'answered'
      status: number
      headers: RawHeaders
      /** Null = longer than is kept before it is decided. */
      body: Buffer | null
    }
export type AttemptEnd = {
  target: Target
  /** `refused` = answered with a status that another try followed. */
  outcome: Outcome | 'refused'
  status: number | null
  error: Error | null
}
export type Attempts = {
  /** The first target, then the next one after a failure; null = none: the failure at hand goes to the client byte for byte. */
  next(failure: Failure | null): Target | null
  /** Whether an answer with this status may be followed by another try: it is then held back until that is decided. */
  mayFollow(status: number): boolean
  /** Each try's end, before the next one is asked for. */
  ended(end: AttemptEnd): void
  /** Nobody waits: no further try. */
  stop?(): void
}

const heldBytesMax = 64 * 1024 // Of an error's body, before another try is decided on.

type Held = { head: ResponseHead; payloads: Buffer[]; raws: Buffer[]; bytes: number }
type RelayOptions = {
  reply: Reply
  watcher: Watcher
  attempts: Attempts
  /** How long a client may leave bytes unread. */
  stallMs: number
  /** Where an answer runs on when its client leaves; null = its upstream is aborted at once. */
  drains?: Drains | null
  /** Takes out of an answer what the client did not ask for; null = it passes as it is. */
  createFilter?: ((head: ResponseHead) => Filter | null) | undefined
}

/** What of the bytes so far goes to the client; null = nothing yet. */
export type Filter = { push(chunk: Buffer): Buffer | null; end(): Buffer | null }

export class Relay implements UpstreamHandler {
  readonly #reply: Reply
  readonly #watcher: Watcher
  readonly #attempts: Attempts
  readonly #stallMs: number
  readonly #drains: Drains | null
  readonly #createFilter: RelayOptions['createFilter']
  #filter: Filter | null = null
  #later: NodeJS.Timeout | undefined
  #target: Target | null = null
  #call: UpstreamCall | null = null
  #stall: NodeJS.Timeout | undefined
  #held: Held | null = null
  #status: number | null = null
  /** The client left, and the answer runs on. */
  #drain: Drain | null = null
  /** The upstream of this try has the request, or may have. */
  #isSent = false
  #isStarted = false
  #isAnswered = false
  #isEnded = false

  constructor({ reply, watcher, attempts, stallMs, drains, createFilter }: RelayOptions) {
    this.#reply = reply
    this.#watcher = watcher
    this.#attempts = attempts
    this.#stallMs = stallMs
    this.#drains = drains ?? null
    this.#createFilter = createFilter
    reply.onClose = () => this.#closed()
    reply.onDrain = () => this.#drained()
  }

  start(): void {
    const target = this.#attempts.next(null)
    if (!target) throw new Error('a call without a target')
    this.#try(target)
  }

  #try(target: Target): void {
    this.#target = target
    this.#status = null
    this.#held = null
    this.#isSent = false
    if (target.afterMs) this.#later = setTimeout(() => this.#send(target), target.afterMs)
    else this.#send(target)
  }

  #send({ provider, method = 'POST', path, headers, body }: Target): void {
    this.#call = provider.upstream.send({ method, path, headers, body }, this)
  }

  onStart(): void {
    this.#isStarted = true
    this.#isSent = true
    if (this.#target) this.#watcher.sent?.(this.#target)
  }

  onHead(head: ResponseHead): void {
    this.#status = head.status
    if (this.#attempts.mayFollow(head.status)) {
      this.#held = { head, payloads: [], raws: [], bytes: 0 }
    } else this.#commit(head)
  }

  #commit(head: ResponseHead): void {
    const { status, headers, bodyEnd } = head
    this.#isAnswered = true
    if (!this.#drain) {
      this.#filter = this.#createFilter?.(head) ?? null
      const isOwn = bodyEnd === 'close' || this.#filter !== null
      const sent = toClientHeaders(headers, this.#filter ? 'content-length' : undefined)
      this.#reply.begin(status, sent, isOwn ? 'own' : 'passed')
    }
    this.#watcher.head(status, headers)
  }

  onData(payload: Buffer, raw: Buffer): void {
    const held = this.#held
    if (!held) return void this.#pass(payload, raw)
    held.payloads.push(payload)
    held.raws.push(raw)
    held.bytes += raw.length
    if (held.bytes > heldBytesMax) this.#decide(held, null)
  }

  #pass(payload: Buffer, raw: Buffer): void {
    if (this.#drain) this.#drain.took(raw.length)
    else if (this.#filter) this.#passFiltered(this.#filter.push(payload))
    else if (!this.#reply.write(payload, raw)) this.#pause()
    if (payload.length > 0 && !this.#isEnded) this.#watcher.data(payload)
  }

  onEnd(): void {
    if (this.#held && !this.#decide(this.#held, Buffer.concat(this.#held.payloads))) return
    clearTimeout(this.#stall)
    if (this.#drain) return void this.#finish('client-left', null, null)
    if (this.#filter) this.#passFiltered(this.#filter.end())
    this.#reply.end()
    this.#finish('complete', null, null)
  }

  #passFiltered(payload: Buffer | null): void {
    if (payload && !this.#reply.write(payload, payload)) this.#pause()
  }

  /** Whether the answer that was held back goes to the client; else another try has begun. */
  #decide(held: Held, body: Buffer | null): boolean {
    const { status, headers } = held.head
    this.#tell('refused', null)
    const target = this.#attempts.next({ kind: 'answered', status, headers, body })
    if (target) {
      this.#call?.abort()
      this.#try(target)
      return false
    }
    this.#held = null
    this.#commit(held.head)
    if (held.bytes > 0) this.#pass(Buffer.concat(held.payloads), Buffer.concat(held.raws))
    return true
  }

  onError(error: Error, sent: Sent): void {
    clearTimeout(this.#stall)
    if (this.#isAnswered) {
      if (!this.#drain) this.#reply.reset()
      return void this.#finish('cut', error, null)
    }
    const kind = sent === 'nothing' ? 'unsent' : 'unanswered'
    this.#tell(kind, error)
    const target = this.#attempts.next({ kind, error })
    if (target) this.#try(target)
    else this.#finish(kind, error, this.#drain ? null : toRefusal(error))
  }

  #tell(outcome: AttemptEnd['outcome'], error: Error | null): void {
    const target = this.#target
    if (!target) return // It was told.
    this.#target = null
    this.#attempts.ended({ target, outcome, status: this.#status, error })
  }

  #finish(outcome: Outcome, error: Error | null, refusal: Refusal | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#drain?.over()
    this.#tell(outcome, error)
    this.#watcher.end(outcome, error, refusal)
  }

  #closed(): void {
    clearTimeout(this.#stall)
    if (this.#isEnded || this.#drain) return
    if (this.#isSent) this.#drain = this.#drains?.begin(() => this.#abort()) ?? null
    if (!this.#drain) return void this.#abort()
    this.#attempts.stop?.()
    this.#call?.resume()
  }

  #abort(): void {
    clearTimeout(this.#later)
    if (this.#isEnded) return
    this.#call?.abort()
    this.#finish(this.#isStarted ? 'client-left' : 'unsent', null, null)
  }

  /** The client reads nothing: it is taken for gone. */
  #abandon(): void {
    this.#reply.reset()
    this.#closed()
  }

  #pause(): void {
    this.#call?.pause()
    this.#stall ??= setTimeout(() => this.#abandon(), this.#stallMs)
  }

  #drained(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#call?.resume()
  }
}

/** The cause's own text stays in the log: it may name addresses. */
function toRefusal(error: Error): Refusal {
  if (error instanceof AddressError) return new Refusal('upstream/address')
  return new Refusal(isTimeout(error) ? 'upstream/timeout' : 'upstream/failed')
}

/** One try and no other. */
export const onlyTo = (target: Target): Attempts => {
  return {
    next: (failure) => (failure === null ? target : null),
    mayFollow: () => false,
    ended: () => {},
  }
}
