import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * A second way to the same files, for a uid that can't reach the first: folders are made, files are hard links. A file
 * that others may not read, or that lies on another file system, is copied. Nothing may be written through the links.
 */
export function linkTree(from: string, to: string): void {
  const stat = lstatSync(from)
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from), to)
  else if (stat.isFile()) linkFile(from, to, stat)
  else if (stat.isDirectory()) linkFolder(from, to)
}

function linkFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 })
  chmodSync(to, 0o755) // Whatever the umask: the point is that others can pass.
  for (const name of readdirSync(from)) linkTree(join(from, name), join(to, name))
}

function linkFile(from: string, to: string, { mode }: Stats): void {
  if ((mode & 0o004) !== 0 && tryLink(from, to)) return
  copyFileSync(from, to)
  chmodSync(to, (mode & 0o100) === 0 ? 0o644 : 0o755)
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error
    return false
  }
}
