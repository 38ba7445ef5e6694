// How far an export has come, in a file that is whole at every moment: written beside, then renamed.
import { closeSync, fdatasyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'

/** Undefined where there is none yet, or what stands there is no JSON. */
export function readCursor<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined // The first start, or a disk that was full: the caller begins where it may.
  }
}

export function writeCursor(path: string, cursor: unknown): void {
  const beside = `${path}.new`
  const file = openSync(beside, 'w', 0o600)
  try {
    writeSync(file, JSON.stringify(cursor))
    fdatasyncSync(file) // Before it takes the old one's name: else a power cut leaves an empty file under it.
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
}
