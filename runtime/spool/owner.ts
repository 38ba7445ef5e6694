import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Who this state folder's runners are: the same after a restart, so that they take their leases back at once. */
export function readOwner(folder: string): string {
  const file = join(folder, 'owner')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, randomUUID(), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // It was made by an earlier start.
  }
  return readFileSync(file, 'utf8')
}
