import { BackendTerminatedError, BackendTerminatedUnexpectedlyError, ConnectionError } from 'slonik'
import { fault } from './errors.ts'

/** A database that is away is the operator's trouble, not a mistake here: the caller may try again. */
export async function ask<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isAway(error)) throw error
    throw fault('threads/unavailable', { cause: error, detail: error.message })
  }
}

const isAway = (error: unknown): error is Error =>
  error instanceof ConnectionError ||
  error instanceof BackendTerminatedError ||
  error instanceof BackendTerminatedUnexpectedlyError
