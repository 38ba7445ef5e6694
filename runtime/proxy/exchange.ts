// One request and its answer, whichever lane it came over. What is behind the lanes knows no more of HTTP than this.
import type { BodyStore } from './body.ts'

/** Header names and values in turn, as they came. */
export type RawHeaders = readonly string[]

export type Exchange = {
  readonly method: string
  /** Path and query, as they came. */
  readonly target: string
  /** `1.1`, or what is refused. */
  readonly version: string
  readonly headers: RawHeaders
  /** The sandbox whose line it came over; undefined = the public port. */
  readonly line: string | undefined
  readonly reply: Reply
  /**
   * The whole body as on the wire, still encoded. Throws a refusal for one that is too large, and ClientLeft when the client
   * goes before its end. The caller gives the bytes back to the store when they are no longer needed; of a body that is refused they
   * are given back here.
   */
  readBody(bytesMax: number, store: BodyStore): Promise<Buffer>
}

/**
 * `passed` = what is written has its framing with it, as the upstream sent it: a length that stands in the headers, or chunks.
 * `own` = the lane frames what is written.
 */
export type Framing = 'passed' | 'own'

/**
 * The answer. Either `send` alone, or `begin`, any number of `write`, and `end` or `reset`.
 * Hop-by-hop headers are the lane's to add; `connection: close` among those given ends the connection after the answer.
 */
export type Reply = {
  readonly isBegun: boolean
  /** The client went before the answer's end: nobody reads what is written. */
  readonly isGone: boolean
  /** A whole answer of our own. */
  send(status: number, headers: RawHeaders, body: string | Buffer): void
  begin(status: number, headers: RawHeaders, framing: Framing): void
  /**
   * @param payload The body's bytes alone.
   * @param raw The same with their framing, where it is passed.
   * @returns false = the client is behind: wait for `onDrain`.
   */
  write(payload: Buffer, raw: Buffer): boolean
  end(): void
  /** Cuts the answer so that nobody takes it for a whole one. */
  reset(): void
  /** The client is gone before the answer's end. Called once at most, and not after `end` or `reset`. */
  onClose: (() => void) | null
  onDrain: (() => void) | null
}
