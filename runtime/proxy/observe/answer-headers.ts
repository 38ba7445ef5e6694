// Headers of our own on answers, by choice: which call it was, what this proxy added to its time, what it cost.
//
// | answer                       | x-treadle-call, x-treadle-overhead-ms | x-treadle-cost-usd                              |
// | ---------------------------- | ------------------------------------- | ----------------------------------------------- |
// | a stream                     | with its head                         | never: its head is long gone when the cost is known |
// | anything else, up to 1 MiB   | with its head                         | held until it is whole and booked, then sent    |
// | anything else, beyond that   | with its head                         | never, and it is held no longer                 |
import type { ProxyConfig } from '../config.ts'
import type { Framing, RawHeaders, Reply } from '../exchange.ts'
import { findHeader } from '../headers.ts'

export type Known = { call: string; overheadMs: number }
/** A reply, and what must be told when the call is booked. */
export type ToldReply = { reply: Reply; settled(costNanoUsd: number | null): void }
type Names = ProxyConfig['answerHeaders']

const heldBytesMax = 1024 * 1024 // An answer that is no stream is rarely over 100 KiB.

export function withAnswerHeaders(reply: Reply, names: Names, known: () => Known): ToldReply {
  if (names.length === 0) return { reply, settled: () => {} }
  const told = new HeldReply(reply, names, known)
  return { reply: told, settled: (cost) => told.settled(cost) }
}

class HeldReply implements Reply {
  readonly #inner: Reply
  readonly #names: Names
  readonly #known: () => Known
  #head: { status: number; headers: RawHeaders; framing: Framing } | null = null
  #held: [payload: Buffer, raw: Buffer][] = []
  #heldBytes = 0
  #isWhole = false
  #cost: string | null = null

  constructor(inner: Reply, names: Names, known: () => Known) {
    this.#inner = inner
    this.#names = names
    this.#known = known
  }

  get isBegun(): boolean {
    return this.#head !== null || this.#inner.isBegun
  }
  get isGone(): boolean {
    return this.#inner.isGone
  }
  get onClose() {
    return this.#inner.onClose
  }
  set onClose(run: Reply['onClose']) {
    this.#inner.onClose = run
  }
  get onDrain() {
    return this.#inner.onDrain
  }
  set onDrain(run: Reply['onDrain']) {
    this.#inner.onDrain = run
  }

  send(status: number, headers: RawHeaders, body: string | Buffer): void {
    this.#inner.send(status, [...headers, ...this.#own()], body)
  }

  begin(status: number, headers: RawHeaders, framing: Framing): void {
    const isStream = findHeader(headers, 'content-type')?.startsWith('text/event-stream') === true
    this.#head = { status, headers, framing }
    if (isStream || !this.#names.includes('cost')) this.#release()
  }

  write(payload: Buffer, raw: Buffer): boolean {
    if (!this.#head) return this.#inner.write(payload, raw)
    this.#held.push([payload, raw])
    this.#heldBytes += raw.length
    return this.#heldBytes > heldBytesMax ? this.#release() : true
  }

  end(): void {
    if (this.#head) this.#isWhole = true
    else this.#inner.end()
  }

  reset(): void {
    this.#release()
    this.#inner.reset()
  }

  settled(costNanoUsd: number | null): void {
    if (!this.#isWhole) return
    this.#cost = costNanoUsd === null ? null : (costNanoUsd / 1e9).toFixed(9)
    this.#release()
    this.#inner.end()
  }

  #release(): boolean {
    const head = this.#head
    if (!head) return true
    this.#head = null
    this.#inner.begin(head.status, [...head.headers, ...this.#own()], head.framing)
    const held = this.#held
    this.#held = []
    return held.map(([payload, raw]) => this.#inner.write(payload, raw)).at(-1) ?? true
  }

  #own(): string[] {
    const { call, overheadMs } = this.#known()
    const pairs = {
      call: ['x-treadle-call', call],
      overhead: ['x-treadle-overhead-ms', overheadMs.toFixed(2)],
      cost: this.#cost === null ? [] : ['x-treadle-cost-usd', this.#cost],
    }
    return this.#names.flatMap((name) => pairs[name])
  }
}
