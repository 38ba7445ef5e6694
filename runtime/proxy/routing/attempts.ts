// What the relay is told: where to send a call, and after each failure whether and where to send it again.
import type { LiveProvider } from '../providers.ts'

/**
 * unsent: it provably reached nobody. unanswered: it may have been done. answered: an error answer, whole up to 64 KiB;
 * `body` null = it was larger.
 */
export type Failure =
  | { kind: 'unsent' | 'unanswered'; error: Error }
  | { kind: 'answered'; status: number; headers: readonly string[]; body: Buffer | null }

export type Target = {
  provider: LiveProvider
  path: string
  headers: string[]
  body: Buffer
  /** How long to wait before it is sent; 0 = at once. */
  afterMs: number
}

export type Attempts = {
  /**
   * Null failure = the first try. Null answer = no further one: the failure at hand goes to the client byte for byte.
   * Nothing may have reached the client.
   */
  next(failure: Failure | null): Target | null
  /** The head that the client gets. From here on there is no other try. */
  answered(status: number): void
  /** The call is over, whichever way. Must be called, once at least: it gives the credential's slot back. */
  close(): void
}
