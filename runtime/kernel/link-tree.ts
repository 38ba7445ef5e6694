import {
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * A second way to the same files, for a uid that can't reach the first: folders are made, files are hard links, or
 * copies where the file system differs. What is linked must not be written through either name.
 */
export function linkTree(from: string, to: string): void {
  const stat = lstatSync(from)
  if (stat.isSymbolicLink()) return symlinkSync(readlinkSync(from), to)
  if (stat.isFile()) return linkFile(from, to)
  if (!stat.isDirectory()) return
  mkdirSync(to, { recursive: true, mode: 0o755 })
  for (const name of readdirSync(from)) linkTree(join(from, name), join(to, name))
}

function linkFile(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error
    copyFileSync(from, to)
  }
}
