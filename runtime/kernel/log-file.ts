import { existsSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { destination } from 'pino'

const bytesMax = 32 * 1024 * 1024 // Two of them are kept: enough for days, never a full disk.

// A write for each line cost more than all else that is done for a line. So much waits, so long at most; whatever ends the process
// but a kill writes it first.
const gathered = { sync: true, minLength: 8 * 1024, periodicFlush: 200 }

/** `treadle.log` in the folder, or another of that kind. Begun anew at a start that finds it grown; the one before it is kept. */
export function openLogFile(folder: string, name = 'treadle.log') {
  const path = join(folder, name)
  if (existsSync(path) && statSync(path).size > bytesMax) renameSync(path, `${path}.1`)
  const file = destination({ dest: path, mode: 0o600, append: true, ...gathered })
  process.once('exit', () => file.flushSync())
  return file
}
