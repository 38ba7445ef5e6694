// What an earlier process of this role left when it was killed: ended and removed before the first
// new sandbox.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from './folders.ts'
import { toLivingPid } from './processes.ts'
import type { SandboxesDeps } from './sandboxes.ts'
import { listLeftovers, setEnded } from './sql/sandboxes.ts'

export async function endLeftovers({
  db,
  backend,
  config,
  log,
  now,
}: Omit<SandboxesDeps, 'sign' | 'uids'>): Promise<void> {
  for (const row of await db.any(listLeftovers())) {
    await backend.remove(
      { ...backend.place(row.id, row.uid), cgroups: row.cgroups },
      toLivingPid(row.pid, row.pid_started),
    )
    await db.query(setEnded(row.id, 'lost', now()))
    log.info({ id: row.id }, 'ended a sandbox of an earlier process')
  }
  await removeStrangers([config.sandboxFolder, config.runFolder])
}

const idPattern = /^[0-9a-f]{16}$/

/** Folders without a row: the database was set back, or is another one. */
async function removeStrangers(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const names = (await readdir(folder)).filter((name) => idPattern.test(name))
    for (const name of names) await removeFolder(join(folder, name))
  }
}
