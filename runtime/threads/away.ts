import { BackendTerminatedError, BackendTerminatedUnexpectedlyError, ConnectionError } from 'slonik'
import { fault } from './errors.ts'

/** A database that is away is the operator's trouble, not a mistake here: the caller may try again. */
export async function ask<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isAway(error)) throw error
    throw fault('threads/unavailable', { cause: error, detail: (error as Error).message })
  }
}

// A server that was killed while a statement was on its way is told by the system, or by the driver's own words.
const codes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
])
const words = /^Connection terminated|not queryable|Client was closed/

function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, cause } = error as NodeJS.ErrnoException
  return (
    error instanceof ConnectionError ||
    error instanceof BackendTerminatedError ||
    error instanceof BackendTerminatedUnexpectedlyError ||
    (code !== undefined && codes.has(code)) ||
    words.test(error.message) ||
    isAway(cause)
  )
}
