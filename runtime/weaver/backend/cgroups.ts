// Limits of memory and processes for a whole sandbox, where the kernel's control groups can be
// written. Groups are made below the one this process lies in, so a limit that somebody set on us
// holds for them as well.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type CgroupParents =
  | { version: 1; memory: string; pids: string }
  | { version: 2; unified: string }
export type CgroupLimits = { memoryBytesMax: number; processesMax: number }

/** The folders of one sandbox's groups: two with version 1, one with version 2. */
export function planCgroups(parents: CgroupParents | null, id: string): string[] {
  if (parents === null) return []
  const name = `treadle-${id}`
  if (parents.version === 2) return [join(parents.unified, name)]
  return [join(parents.memory, name), join(parents.pids, name)]
}

type Setting = { file: string; value: string; isOptional?: true }

/**
 * What is written where, in this order. Swap is closed where it can be counted: else memory spills
 * over into it.
 */
export function planCgroupSettings(
  version: 1 | 2,
  folders: readonly string[],
  limits: CgroupLimits,
): Setting[] {
  const memory = String(limits.memoryBytesMax)
  const processes = String(limits.processesMax)
  const [first, second] = folders as [string, string]
  if (version === 2) {
    return [
      { file: join(first, 'memory.max'), value: memory },
      { file: join(first, 'memory.swap.max'), value: '0', isOptional: true },
      { file: join(first, 'pids.max'), value: processes },
    ]
  }
  return [
    { file: join(first, 'memory.limit_in_bytes'), value: memory },
    { file: join(first, 'memory.memsw.limit_in_bytes'), value: memory, isOptional: true },
    { file: join(second, 'pids.max'), value: processes },
  ]
}

/** Kernel files, written in memory: synchronous calls are the short way. */
export function applyCgroups(
  version: 1 | 2,
  folders: readonly string[],
  limits: CgroupLimits,
): void {
  for (const folder of folders) mkdirSync(folder)
  for (const { file, value, isOptional } of planCgroupSettings(version, folders, limits)) {
    try {
      writeFileSync(file, value)
    } catch (error) {
      if (!isOptional) throw error // A kernel without swap accounting has no such file.
    }
  }
}

/** Process ids in the groups; empty when there are none, or no groups. */
export function cgroupMembers(folders: readonly string[]): number[] {
  const members = new Set<number>()
  for (const folder of folders) {
    const lines = readOr(join(folder, 'cgroup.procs'), '').split('\n')
    for (const line of lines) if (line) members.add(Number(line))
  }
  return [...members]
}

export type CgroupFigures = { oomKills: number; processes: number; refusedForks: number }

export function readCgroupFigures(version: 1 | 2, folders: readonly string[]): CgroupFigures {
  const [first, second = first] = folders as [string, string?]
  const memory = readOr(join(first, version === 2 ? 'memory.events' : 'memory.oom_control'), '')
  const forks = readOr(join(second, 'pids.events'), '')
  return {
    oomKills: Number(/^oom_kill (\d+)$/m.exec(memory)?.[1] ?? 0),
    processes: Number(readOr(join(second, 'pids.current'), '0')),
    refusedForks: Number(/^max (\d+)$/m.exec(forks)?.[1] ?? 0),
  }
}

// The last process leaves its group some time after it is gone from sight.
const removeTriesMax = 50

export async function removeCgroups(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let tried = 1; ; tried += 1) {
      const error = await rmdir(folder).then(
        () => null,
        (reason: NodeJS.ErrnoException) => reason,
      )
      if (error === null || error.code === 'ENOENT') break
      if (tried === removeTriesMax) throw error
      await sleep(20)
    }
  }
}

/**
 * Both controllers, writable by us, or null. Version 1 where it has them, for then version 2 does
 * not.
 */
export function findCgroupParents(): CgroupParents | null {
  const own = readOr('/proc/self/cgroup', '')
    .split('\n')
    .map((line) => line.split(':'))
  const mounts = readOr('/proc/self/mountinfo', '').split('\n').flatMap(toCgroupMount)
  const version1 = (controller: string) => {
    const path = own.find(([, names]) => names?.split(',').includes(controller))?.[2]
    const mount = mounts.find(
      ({ kind, options }) => kind === 'cgroup' && options.includes(controller),
    )
    return path !== undefined && mount ? below(mount, path) : null
  }
  const memory = version1('memory')
  const pids = version1('pids')
  if (memory && pids)
    return isWritable(memory) && isWritable(pids) ? { version: 1, memory, pids } : null
  return findUnified(own.find(([hierarchy]) => hierarchy === '0')?.[2], mounts)
}

// Version 2 lets a group hold processes or groups with limits, never both. So ours lie beside our
// own group, in one whose children have the controllers: as a service manager arranges it for a
// delegated service with a sub-group.
function findUnified(
  path: string | undefined,
  mounts: readonly CgroupMount[],
): CgroupParents | null {
  const mount = mounts.find(({ kind }) => kind === 'cgroup2')
  if (path === undefined || path === '/' || !mount) return null
  const unified = join(below(mount, path), '..')
  const enabled = readOr(join(unified, 'cgroup.subtree_control'), '').trim().split(' ')
  const hasBoth = enabled.includes('memory') && enabled.includes('pids')
  return hasBoth && isWritable(unified) ? { version: 2, unified } : null
}

type CgroupMount = { kind: string; root: string; at: string; options: string[] }

// proc(5): `36 35 98:0 ROOT AT OPTIONS ... - KIND SOURCE SUPER_OPTIONS`.
function toCgroupMount(line: string): CgroupMount[] {
  const [left = '', right = ''] = line.split(' - ')
  const [kind = '', , options = ''] = right.split(' ')
  const [, , , root = '/', at = ''] = left.split(' ')
  return kind.startsWith('cgroup') ? [{ kind, root, at, options: options.split(',') }] : []
}

const below = ({ root, at }: CgroupMount, path: string) =>
  join(at, root !== '/' && path.startsWith(root) ? path.slice(root.length) : path)

function isWritable(parent: string): boolean {
  const trial = join(parent, `treadle-trial-${process.pid}`)
  try {
    mkdirSync(trial)
    rmdirSync(trial)
    return true
  } catch {
    // Read-only, absent or not ours: then rlimits and the watchdog must do, and the level says so.
    return false
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise // Kernel files come and go with what they describe.
  }
}
