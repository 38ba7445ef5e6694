// What an earlier process of this role left when it was killed: ended and removed before the first
// new sandbox.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend } from './backend/backend.ts'
import type { WeaverConfig } from './config.ts'
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
  await removeStrangers(backend, config, [config.sandboxFolder, config.runFolder])
}

const idPattern = /^[0-9a-f]{16}$/

/**
 * Folders without a row: the process was killed before the row was written, the database was set
 * back, or is another one. What belongs to such a sandbox is told by its folder: the name, and the
 * user that may pass it.
 */
async function removeStrangers(
  backend: Backend,
  { uidBase, uidCount }: WeaverConfig,
  folders: readonly string[],
): Promise<void> {
  const found = (await Promise.all(folders.map(listStrangers))).flat()
  for (const [id, uid] of new Map(found)) {
    const isOurs = uid >= uidBase && uid < uidBase + uidCount // Not, where it was made by half.
    await backend.remove(backend.place(id, isOurs ? uid : null), null)
  }
}

async function listStrangers(folder: string): Promise<[id: string, uid: number][]> {
  const names = (await readdir(folder)).filter((name) => idPattern.test(name))
  return Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).gid]))
}
