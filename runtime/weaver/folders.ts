// A sandbox's folders on the host: made for its user alone, measured while it lives, removed
// whatever it left in them.
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Place } from './backend/place.ts'

const run = promisify(execFile)

/**
 * **Security.** What the sandbox's user owns lies in folders of ours that it may pass but not
 * change, so no path that leads to it can be bent. The line folder stays ours: the socket in it
 * must not be replaced.
 */
export function makeFolders({ uid, folder, runFolder, ...place }: Place): void {
  for (const outer of [folder, runFolder]) makeFolder(outer, 0o710, uid && { uid: 0, gid: uid })
  for (const own of [place.work, place.home, place.scratch, place.pod]) {
    makeFolder(own, 0o700, uid && { uid, gid: uid })
  }
  makeFolder(place.line, 0o755, null)
  makeFolder(place.root, 0o755, null)
}

function makeFolder(
  path: string,
  mode: number,
  owner: { uid: number; gid: number } | 0 | null,
): void {
  mkdirSync(path)
  chmodSync(path, mode) // mkdir's own mode is cut by the umask.
  if (owner) chownSync(path, owner.uid, owner.gid)
}

const removeMsMax = 120_000 // As many files as a sandbox may have, on a slow disk.

/**
 * Removes a folder that a sandbox wrote to: unreadable folders, trees deeper than a path may be
 * long, any name.
 * **Security.** No process of the sandbox may live any more. rm(1) and chmod(1) walk by
 * descriptors, and follow no link.
 */
export async function removeFolder(path: string): Promise<void> {
  const options = { timeout: removeMsMax, cwd: '/' }
  try {
    await run('rm', ['-rf', '--', path], options)
  } catch {
    // Root is stopped by nothing; an ordinary user first needs its own permission back. What chmod
    // complains of (links without a target) is no hindrance.
    await run('chmod', ['-R', 'u+rwX', '--', path], options).catch(() => {})
    await run('rm', ['-rf', '--', path], options)
  }
}

export type DiskUse = { bytes: number; files: number }

const measureMsMax = 60_000
const textBytesMax = 1024 * 1024 // du complains a line for each folder that it can't read.

/**
 * Blocks and names in use, as du(1) counts them. What can't be counted in time is infinite: nobody
 * gets past a limit by being slow to count. Null where du itself failed.
 */
export async function measureFolder(path: string): Promise<DiskUse | null> {
  const [blocks, names] = await Promise.all([
    readDu(['-sx', '--block-size=1', '--', path]),
    readDu(['-sx', '--inodes', '--', path]),
  ])
  return blocks === null || names === null ? null : { bytes: blocks, files: names }
}

async function readDu(argv: readonly string[]): Promise<number | null> {
  const options = { timeout: measureMsMax, maxBuffer: textBytesMax, cwd: '/' }
  try {
    return Number.parseInt((await run('du', argv, options)).stdout, 10)
  } catch (error) {
    // It ends with 1 where files vanish under it, or can't be read, and still tells what it saw.
    const { killed, stdout } = error as { killed?: boolean; stdout?: string }
    const seen = Number.parseInt(stdout ?? '', 10)
    if (killed) return Number.POSITIVE_INFINITY
    return Number.isNaN(seen) ? null : seen
  }
}

export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
