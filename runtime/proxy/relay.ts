// Carries one call: request out, answer back, byte for byte. It knows nothing of models, usage or money;
// who wants to know watches (Watcher), and the client has each byte before the watcher does.
//
// | client                | upstream               | outcome                                                    |
// | --------------------- | ---------------------- | ---------------------------------------------------------- |
// | stays                 | answers to the end     | complete                                                   |
// | leaves                | -                      | client-left: the upstream is aborted at once               |
// | stays                 | dies inside its answer | cut: the client's socket is reset, never ended cleanly     |
// | stays                 | dies or is late before | unanswered: 502 or 504; it may have done the work          |
// | stays                 | can't be reached       | unsent: 502 or 504; it provably did nothing                |
// | reads nothing for long| -                      | client-left                                                |
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { AddressError } from '#kernel/address.ts'
import type { RawHeaders, Reply } from './exchange.ts'
import { toClientHeaders } from './headers.ts'
import { Refusal } from './refusal.ts'

export type Outcome = 'complete' | 'client-left' | 'cut' | 'unanswered' | 'unsent'

export type Watcher = {
  /** An upstream gets the request now; again where that is a further try. */
  sent?(): void
  head(status: number, headers: RawHeaders): void
  data(chunk: Buffer): void
  /** Called once, last. `refusal` is what the client is to be told, where nothing was sent to it yet. */
  end(outcome: Outcome, error: Error | null, refusal: Refusal | null): void
}

const heldBytesMax = 64 * 1024 // As much as one read of a socket brings; more than that is no crowd of small chunks.

export class Relay implements Dispatcher.DispatchHandler {
  readonly #reply: Reply
  readonly #watcher: Watcher
  readonly #stallMs: number
  #control: Dispatcher.DispatchController | undefined
  #stall: NodeJS.Timeout | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  #isStarted = false
  #isAnswered = false
  #isEnded = false
  #hasClientLeft = false

  /** @param stallMs How long a client may leave bytes unread. */
  constructor(reply: Reply, watcher: Watcher, stallMs: number) {
    this.#reply = reply
    this.#watcher = watcher
    this.#stallMs = stallMs
    reply.onClose = () => this.#closed()
    reply.onDrain = () => this.#drained()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#control = controller
    if (this.#hasClientLeft) controller.abort(new Error('the client left'))
    else {
      this.#isStarted = true
      this.#watcher.sent?.()
    }
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: IncomingHttpHeaders,
  ): void {
    if (status < 200) return // Early hints and the like are between the upstream and us.
    this.#isAnswered = true
    const headers = toClientHeaders(controller.rawHeaders as (Buffer | string)[])
    this.#reply.begin(status, headers, 'own')
    this.#watcher.head(status, headers)
  }

  /** What comes with one read of the upstream's socket goes out in one write: twenty events cost as much as one. */
  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#held.push(chunk) === 1) process.nextTick(() => this.#flush())
    this.#heldBytes += chunk.length
    if (this.#heldBytes >= heldBytesMax) this.#flush()
  }

  onResponseEnd(): void {
    clearTimeout(this.#stall)
    const last = this.#takeHeld()
    if (last) this.#reply.write(last, last)
    this.#reply.end()
    if (last) this.#watcher.data(last)
    this.#finish('complete', null, null)
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#flush()
    clearTimeout(this.#stall)
    if (this.#hasClientLeft) this.#finish('client-left', null, null)
    else if (this.#isAnswered) {
      this.#reply.reset()
      this.#finish('cut', error, null)
    } else this.#finish(this.#isStarted ? 'unanswered' : 'unsent', error, toRefusal(error))
  }

  #flush(): void {
    const bytes = this.#takeHeld()
    if (!bytes) return
    if (!this.#hasClientLeft && !this.#reply.write(bytes, bytes)) this.#pause()
    this.#watcher.data(bytes)
  }

  #takeHeld(): Buffer | undefined {
    const held = this.#held
    if (held.length === 0) return undefined
    this.#held = []
    this.#heldBytes = 0
    return held.length === 1 ? held[0] : Buffer.concat(held)
  }

  #finish(outcome: Outcome, error: Error | null, refusal: Refusal | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#watcher.end(outcome, error, refusal)
  }

  #closed(): void {
    clearTimeout(this.#stall)
    this.#hasClientLeft = true
    this.#control?.abort(new Error('the client left'))
  }

  /** The client reads nothing: it is taken for gone. */
  #abandon(): void {
    this.#reply.reset()
    this.#closed()
  }

  #pause(): void {
    this.#control?.pause()
    this.#stall ??= setTimeout(() => this.#abandon(), this.#stallMs)
  }

  #drained(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#control?.resume()
  }
}

const timeoutCodes = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']

/** The cause's own text stays in the log: it may name addresses. */
function toRefusal(error: Error & { code?: string }): Refusal {
  if (error instanceof AddressError) return new Refusal('upstream/address')
  return new Refusal(
    timeoutCodes.includes(error.code ?? '') ? 'upstream/timeout' : 'upstream/failed',
  )
}
