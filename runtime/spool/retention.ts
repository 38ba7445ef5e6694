// Ends what was kept of loops that ended long ago: first in the database, then the bundles of this state folder.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabasePool } from 'slonik'
import { findPruned, prune, takeOld } from './sql/retention.ts'

const batchMax = 50 // Of a loop of 1,000 passes some 300 MB go in one transaction.
const bundle = /^(.+)\.bundle$/

export async function endOldLoops(
  { db, folder }: { db: DatabasePool; folder: string },
  keepMs: number | null,
  signal: AbortSignal,
): Promise<void> {
  while (keepMs !== null && !signal.aborted && (await pruneSome(db, keepMs)) === batchMax);
  await sweepResults(db, join(folder, 'results'))
}

const pruneSome = (db: DatabasePool, keepMs: number): Promise<number> =>
  db.transaction(async (tx) => {
    const ids = (await tx.any(takeOld(keepMs, batchMax))).map(({ id }) => id)
    if (ids.length > 0) for (const statement of prune(ids)) await tx.query(statement)
    return ids.length
  })

/** By what the database says, so that a bundle goes also where another process, or an earlier life, took its loop. */
async function sweepResults(db: DatabasePool, folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []) // No result had to stay here yet.
  const ids = names.flatMap((name) => bundle.exec(name)?.[1] ?? [])
  if (ids.length === 0) return
  for (const { id } of await db.any(findPruned(ids)))
    await rm(join(folder, `${id}.bundle`), { force: true })
}
