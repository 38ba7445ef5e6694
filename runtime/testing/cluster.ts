// New PostgreSQL data without an `initdb` for each test file: that takes a second of a processor, a copy next to nothing.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '#kernel/log.ts'
import { startPostgres } from '#kernel/postgres.ts'
import { cacheFolder, findPrograms, native } from './programs.ts'

const uid = process.getuid!()
/** Who the server runs as: PostgreSQL refuses root. */
export const owner = uid === 0 ? { uid: 299_999, gid: 299_999 } : null

const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as {
  version: string
}
// What this version's `initdb` makes, and nothing else. It goes with the packages, and each user has one.
const keptName = `postgres-${version}-${uid}`

/** A throw-away server below `folder`, which its uid must be able to pass. */
export const toServerOptions = (folder: string) =>
  ({
    programs: findPrograms(folder),
    folder: join(folder, 'postgres'),
    socketFolder: join(folder, 'socket'),
    owner,
    fsync: 'off',
    log: createLog('silent', process.stderr),
  }) as const

let making: Promise<void> | undefined // A test may start several servers at once.

/** Puts new data into `folder`, where a server that starts on it finds it. In a clone of another user it makes its own. */
export async function copyCluster(folder: string): Promise<void> {
  const cache = cacheFolder()
  if (cache === null) return
  const kept = join(cache, keptName)
  if (!existsSync(kept)) {
    making ??= makeCluster(kept)
    await making
  }
  mkdirSync(folder, { mode: 0o700 })
  if (owner) chownSync(folder, owner.uid, owner.gid)
  execFileSync('cp', ['-a', kept, join(folder, 'data')])
}

async function makeCluster(kept: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  chmodSync(folder, 0o711)
  const server = await startPostgres(toServerOptions(folder))
  await server[Symbol.asyncDispose]()
  const fresh = `${kept}.${process.pid}`
  execFileSync('cp', ['-a', join(folder, 'postgres/data'), fresh])
  await rename(fresh, kept).catch(async (error: NodeJS.ErrnoException) => {
    await rm(fresh, { recursive: true, force: true })
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // Another test file was first.
  })
  await rm(folder, { recursive: true, force: true })
}
