// What a state folder holds, by what it is for.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Folder to what it is; a later one's share is taken off the earlier one that it lies in. */
const places = {
  repositories: 'roles/spool',
  'ledger and conversations': 'roles/proxy',
  sandboxes: 'sandboxes',
  database: 'postgres/data',
  'write-ahead log': 'postgres/data/pg_wal',
  log: 'logs',
  "rehearsal model's log": 'rehearsal',
} as const
export type Place = keyof typeof places
export const placeNames = Object.keys(places) as Place[]

export function measureDisk(state: string): Readonly<Record<Place, number>> {
  const bytesOf = (place: Place) => countBytes(join(state, places[place]))
  const found = Object.fromEntries(placeNames.map((place) => [place, bytesOf(place)]))
  return { ...found, database: found.database! - found['write-ahead log']! } as Record<
    Place,
    number
  >
}

function countBytes(folder: string): number {
  if (!existsSync(folder)) return 0
  try {
    const text = execFileSync('du', ['-s', '--block-size=1', folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number.parseInt(text, 10)
  } catch (error) {
    // It ends with 1 where files vanish under it, and still tells what it saw.
    return Number.parseInt((error as { stdout: string }).stdout, 10)
  }
}
