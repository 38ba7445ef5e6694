// Where a sandbox lies: on the host, and how it looks from inside.
import { join } from 'node:path'

export type Place = {
  id: string
  /**
   * Its own user outside; null when the role runs as an ordinary user, whose uid then is the
   * sandbox's too.
   */
  uid: number | null
  /** Holds `work`, `home` and `scratch`: all that it keeps on disk. */
  folder: string
  work: string
  home: string
  /** Temporary files that would be too large for memory. */
  scratch: string
  /**
   * Short, for sockets: holds `pod` (the daemon's) and `line` (the way out), and the mount point
   * `root`.
   */
  runFolder: string
  pod: string
  line: string
  root: string
  cgroups: readonly string[]
}

export type PlaceRoots = { sandboxFolder: string; runFolder: string }

export function toPlace(
  roots: PlaceRoots,
  { id, uid, cgroups }: { id: string; uid: number | null; cgroups: readonly string[] },
): Place {
  const folder = join(roots.sandboxFolder, id)
  const runFolder = join(roots.runFolder, id)
  return {
    id,
    uid,
    folder,
    work: join(folder, 'work'),
    home: join(folder, 'home'),
    scratch: join(folder, 'scratch'),
    runFolder,
    pod: join(runFolder, 'pod'),
    line: join(runFolder, 'line'),
    root: join(runFolder, 'root'),
    cgroups,
  }
}

/** The same places from inside the walls. */
export const inside = {
  readable: '/opt/treadle',
  work: '/work',
  home: '/home/agent',
  scratch: '/var/tmp',
  pod: '/run/treadle',
  line: '/run/line',
  codeCache: '/run/code-cache',
} as const
/** The daemon in one file, in the folder of its compiled code. */
export const linkedName = 'pod.cjs'
/** A named pipe, for the output of the first command. */
export const podPipeName = 'pipe'
export const podSocketName = 'pod.sock'
export const lineSocketName = 'proxy.sock'
