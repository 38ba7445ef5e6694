// Which failures pass by themselves, and how long a step waits for that.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  ConnectionError,
  StatementTimeoutError,
} from 'slonik'
import { Fault } from '#kernel/fault.ts'

type Retry = {
  isPassing: (error: unknown) => boolean
  /** From the first failure on. */
  msMax: number
  signal: AbortSignal
}

const firstWaitMs = 50
const waitMsMax = 2_000 // A peer that is back is found within this.

/** Repeats `work` while its failures are of the passing kind; then the last one is the caller's. */
export async function withRetries<T>(
  work: () => Promise<T>,
  { isPassing, msMax, signal }: Retry,
): Promise<T> {
  let failedAt: number | undefined
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, waitMsMax)) {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      failedAt ??= performance.now()
      if (!isPassing(error) || performance.now() + waitMs - failedAt > msMax) throw error
      await sleep(waitMs, undefined, { signal })
    }
  }
}

const databaseErrors = [
  ConnectionError,
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  StatementTimeoutError,
]
const socketCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT']
const away = /^(08|53|57|40)/ // SQLSTATE classes: connection, resources, shutdown, roll-back for concurrency.

/** The database is away, or was for this statement. A transaction may have been committed all the same. */
export function isDatabaseAway(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (databaseErrors.some((kind) => at instanceof kind)) return true
    const { code } = at as NodeJS.ErrnoException
    if (code && (socketCodes.includes(code) || away.test(code))) return true
    if (/Connection terminated|not queryable/.test(at.message)) return true // pg has no code for these.
  }
  return false
}

/** The call never reached the peer, or the peer says that it did nothing: safe to send again, whatever it does. */
export function isUnsent(error: unknown): boolean {
  if (error instanceof Fault) return error.code === 'peer/absent'
  return codeOf(error) === 'ECONNREFUSED'
}

const lostCodes = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]

/**
 * The answer is missing, or a peer failed for want of its database: safe to ask again where asking
 * twice does no more than asking once.
 */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof Fault)
    return error.code === 'internal' || [429, 502, 503, 504].includes(error.status)
  return lostCodes.includes(codeOf(error))
}

const codeOf = (error: unknown) => String((error as { code?: unknown } | undefined)?.code ?? '')
