// The state folder and the run folder: where everything is kept, and where the sockets are.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { FolderHeld, holdFolder } from '#kernel/hold-folder.ts'
import { StartRefused, UsageError } from './errors.ts'

export type StateFolder = {
  path: string
  /** Short, for a Unix socket's path has 107 bytes whatever the state folder is called. Emptied by a reboot. */
  run: string
  /** A private folder below it, made on demand. */
  folder(name: string): string
}

type Environment = Readonly<Record<string, string | undefined>>

export function defaultStateFolder(uid: number, environment: Environment): string {
  if (uid === 0) return '/var/lib/treadle'
  const base = environment.XDG_STATE_HOME ?? join(environment.HOME ?? '~', '.local/state')
  return join(base, 'treadle')
}

/** Makes the folders. Root's can be passed through by other uids (each thing inside has its own mode), no other's can. */
export function prepareState(path: string, uid: number): StateFolder {
  const absolute = resolve(path)
  const mode = uid === 0 ? 0o711 : 0o700
  mkdirSync(absolute, { recursive: true, mode })
  chmodSync(absolute, mode)
  if (uid === 0) assertPassable(dirname(absolute))
  const run = runFolder(absolute, uid)
  return { path: absolute, run, folder: (name) => privateFolder(join(absolute, name)) }
}

/** PostgreSQL and sandboxes run as users of their own: as root, each folder on the way must let them pass. */
function assertPassable(folder: string): void {
  if ((statSync(folder).mode & 0o001) === 0) {
    const fix = 'Choose another --state, or leave it out for /var/lib/treadle.'
    throw new UsageError(`--state lies below ${folder}, which other users can't pass. ${fix}`)
  }
  if (folder !== dirname(folder)) assertPassable(dirname(folder))
}

function runFolder(state: string, uid: number): string {
  const name = createHash('sha256').update(state).digest('hex').slice(0, 8)
  const path = uid === 0 ? `/run/treadle-${name}` : `/tmp/treadle-${uid}-${name}`
  mkdirSync(path, { recursive: true, mode: uid === 0 ? 0o711 : 0o700 })
  const stat = lstatSync(path)
  // In /tmp anyone may have made it first; a link would lead us elsewhere.
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o022) !== 0) {
    throw new StartRefused(`${path} is not ours alone. Remove it, or choose another --state.`)
  }
  return path
}

function privateFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

/** Holds the state folder for this process, until it ends in whichever way. */
export function holdState({ path }: StateFolder): Promise<AsyncDisposable> {
  return holdFolder(path, 0).catch((error: unknown) => {
    if (!(error instanceof FolderHeld)) throw error
    const fix = 'Stop it first, or choose another --state.'
    throw new StartRefused(`Treadle already runs on ${path}. ${fix}`)
  })
}

/** Written whole or not at all, readable by its owner alone. */
export function writePrivate(path: string, text: string | Buffer): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** What stands in the file, or what `make` gives, then written there. */
export function readOrMake(path: string, make: () => Buffer): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    writePrivate(path, make())
    return readFileSync(path)
  }
}
