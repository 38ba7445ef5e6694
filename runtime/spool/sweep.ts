// What a process that was killed left on disk: bundles on their way in, and repositories of loops that have ended.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabasePool } from 'slonik'
import { findEnded } from './sql/loops.ts'

/** Runs before the first runner does. */
export async function sweepFolder(db: DatabasePool, folder: string): Promise<void> {
  await rm(join(folder, 'incoming'), { recursive: true, force: true })
  const repos = join(folder, 'repos')
  const names = await readdir(repos).catch(() => []) // No loop has run here yet.
  const ids = new Set(names.map((name) => name.replace(/\.git(\.new)?$/, '')))
  for (const { id } of await db.any(findEnded([...ids]))) {
    await rm(join(repos, `${id}.git`), { recursive: true, force: true })
    await rm(join(repos, `${id}.git.new`), { recursive: true, force: true })
  }
}
