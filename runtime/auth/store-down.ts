import {
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  ConnectionError,
  StatementTimeoutError,
} from 'slonik'

const kinds = [
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  ConnectionError,
  StatementTimeoutError,
]

/** The database is away, as against a statement that is wrong. */
export const isStoreDown = (error: unknown) => kinds.some((kind) => error instanceof kind)
