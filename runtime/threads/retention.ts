import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { deleteStaleThreads, deleteStaleTurns } from './sql/threads.ts'

const batchMax = 100 // Threads a statement: a delete takes their messages along.

/** Deletes what nobody has added to since `before`. Safe in several processes at once. */
export async function deleteStale(
  db: DatabasePool,
  before: Date,
  log: Logger,
  signal: AbortSignal,
) {
  let count = 0
  let deleted = batchMax
  while (deleted === batchMax && !signal.aborted) {
    deleted = (await db.any(deleteStaleThreads(before, batchMax))).length
    count += deleted
  }
  await db.query(deleteStaleTurns(before))
  if (count > 0) log.info({ count }, 'deleted old threads')
}
