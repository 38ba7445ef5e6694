// What a sandbox uses, held against its limits. The kernel's own limits hold by themselves; the
// watchdog sees what it has no limit for (disk), tells which limit was met, and stands in where
// cgroups can't be written.
import { readCgroupFigures } from './backend/cgroups.ts'
import type { WeaverConfig } from './config.ts'
import { type DiskUse, measureFolder } from './folders.ts'
import { membersOf, type Whose } from './members.ts'

export type Cut = 'disk' | 'memory' | 'processes' | 'time'
export type Limits = Pick<
  WeaverConfig,
  'memoryBytesMax' | 'processesMax' | 'diskBytesMax' | 'diskFilesMax'
>

export type Figures = {
  oomKills: number
  /** Summed over its processes; null where the cgroup limits it. */
  memoryBytes: number | null
  processes: number
  /** How often the cgroup refused a new process; null without one. */
  refusedForks: number | null
  /** How many looks in a row found it at its limit of processes. */
  crowdedLooks: number
  disk: DiskUse | null
}

// A build may touch the limit for a moment; a fork bomb never leaves it.
const crowdedLooksMax = 2
const crowdedShare = 0.9 // Without a cgroup: a bomb's own deaths keep it a little under the limit.

/** Which limit is met, if any. Disk goes first: it is the one that hurts others. */
export function planCut(figures: Figures, limits: Limits): Cut | null {
  const { disk, oomKills, memoryBytes, crowdedLooks } = figures
  if (disk && (disk.bytes > limits.diskBytesMax || disk.files > limits.diskFilesMax)) return 'disk'
  if (oomKills > 0 || (memoryBytes ?? 0) > limits.memoryBytesMax) return 'memory'
  return crowdedLooks >= crowdedLooksMax ? 'processes' : null
}

/**
 * A sandbox that goes on growing after its agent was cut is ended as a whole: `bytesAtCut` is what
 * it had then.
 */
export const isFarOver = (
  { disk }: Figures,
  bytesAtCut: number,
  { diskBytesMax }: Limits,
): boolean => disk !== null && disk.bytes > bytesAtCut + diskBytesMax

export type Watched = {
  whose: Whose
  folder: string
  version: 1 | 2
  figures: Figures
  /** When the next walk may begin, by `performance.now()`. */
  diskDueAt: number
}

export const emptyFigures: Figures = {
  ...{ oomKills: 0, memoryBytes: null, processes: 0, refusedForks: null },
  ...{ crowdedLooks: 0, disk: null },
}

/** What the kernel counts, read at once: cheap enough for every question about an agent. */
export function lookAtProcesses({ whose, version, figures }: Watched): Figures {
  if (whose.cgroups.length > 0) return { ...figures, ...readCgroupFigures(version, whose.cgroups) }
  const members = membersOf(whose)
  const memoryBytes = members.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  return { ...figures, memoryBytes, processes: members.length }
}

export function isCrowded(before: Figures, now: Figures, { processesMax }: Limits): boolean {
  if (now.refusedForks === null) return now.processes >= crowdedShare * processesMax
  return now.refusedForks > (before.refusedForks ?? 0)
}

/** What the kernel counts, at once; the walk over the disk goes on by itself. */
export function look(watched: Watched, limits: Limits): void {
  const before = watched.figures
  const seen = lookAtProcesses(watched)
  const crowdedLooks = isCrowded(before, seen, limits) ? before.crowdedLooks + 1 : 0
  watched.figures = { ...seen, crowdedLooks }
  void walk(watched)
}

// A large workspace is walked less often: one sandbox's walks take a tenth of the time.
const restPerWalk = 9
// A sandbox that is slow to walk holds up no other one, and many do not take the machine.
const walksMax = 4
let walks = 0

async function walk(watched: Watched): Promise<void> {
  if (walks >= walksMax || performance.now() < watched.diskDueAt) return
  const startedAt = performance.now()
  watched.diskDueAt = Number.POSITIVE_INFINITY // Until this walk is done.
  walks += 1
  const disk = await measureFolder(watched.folder)
  walks -= 1
  // Without an answer what was known stays, and the reserve of the whole disk holds.
  if (disk) watched.figures = { ...watched.figures, disk }
  watched.diskDueAt = performance.now() + restPerWalk * (performance.now() - startedAt)
}
