// A loop's own bare repository: no agent and no user ever sees it. What comes in is a pack, checked by fsck.
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Fault } from '#kernel/fault.ts'
import { fault } from '../errors.ts'
import { readBundleHead } from './bundle.ts'
import { type GitOptions, git, tryGit } from './git.ts'

export type Work = { path: string; loop: string; signal?: AbortSignal }

export const repositoryBytesMax = 2 * 1024 ** 3 // As much as a sandbox takes for a checkout.
const shortMs = 30_000 // Looking up a commit or moving a ref; a busy disk included.
const longMs = 600_000 // Packing or checking a gigabyte takes about a minute here.

export const refOf = (loop: string, name: string) => `refs/treadle/${loop}/${name}`

const at = ({ path, signal }: Work, msMax = shortMs): GitOptions => ({
  repository: path,
  msMax,
  signal,
})

/** Makes the repository whole or not at all: `fill` works on a folder that gets its name at the end. */
export async function createWork(
  work: Work,
  fill: (unfinished: Work) => Promise<void>,
): Promise<void> {
  const unfinished = { ...work, path: `${work.path}.new` }
  await rm(unfinished.path, { recursive: true, force: true })
  await mkdir(unfinished.path, { recursive: true, mode: 0o700 })
  await git(['init', '--quiet', '--bare', '--template=', '.'], at(unfinished))
  await fill(unfinished)
  await rename(unfinished.path, work.path)
}

export const hasWork = async ({ path }: Work): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined

/** How strictly objects are checked. History that a user brings may hold the slips of old git versions. */
type Checks = 'all' | 'history'
const strict = {
  all: '--strict',
  history: '--strict=badTimezone=ignore,missingSpaceBeforeDate=ignore,zeroPaddedFilemode=ignore',
} as const

/** Takes a pack in; every object is checked, and each must find what it names. */
export async function takePack(work: Work, pack: Readable, checks: Checks): Promise<void> {
  const limit = `--max-input-size=${repositoryBytesMax}`
  await git(['index-pack', '--stdin', '--fix-thin', strict[checks], limit], {
    ...at(work, longMs),
    input: pack,
  })
}

/**
 * Takes over what a sandbox made: one commit on `base`, under a quarantine ref until the caller moves the work ref.
 * **Security.** The bundle is hostile until proved otherwise: guarded by git/work.test.ts.
 */
export async function takeBundle(
  work: Work,
  file: string,
  sha: string,
  base: string,
): Promise<void> {
  const head = await readBundleHead(file)
  if (!head) throw fault('work/refused', { say: 'It is no git bundle.' })
  if (!head.refs.some((ref) => ref.sha === sha))
    throw fault('work/refused', { say: `It lacks ${sha}.` })
  if (head.prerequisites.some((needed) => needed !== base)) {
    throw fault('work/refused', { say: 'It builds on a commit that this loop has not.' })
  }
  const pack = createReadStream(file, { start: head.packOffset })
  await refusing(() => takePack(work, pack, 'all'))
  const parents = await refusing(() =>
    git(['rev-list', '--parents', '-n', '1', sha, '--'], at(work)),
  )
  if (parents !== `${sha} ${base}`)
    throw fault('work/refused', { say: 'It is not one commit on its base.' })
  await setRef(work, 'quarantine', sha)
}

/** What git says against a pack is said against the work, not against this house. */
async function refusing<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    throw fault('work/refused', { cause, say: cause.publicMessage })
  }
}

export async function setRef(work: Work, name: string, sha: string): Promise<void> {
  await git(['update-ref', '--no-deref', refOf(work.loop, name), sha], at(work))
}

/** A commit by ref or name; undefined where there is none. `name` is ours or was checked against the schema. */
export async function findCommit(options: GitOptions, name: string): Promise<string | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
  const { exit, output } = await tryGit(args, options)
  return exit === 0 ? output.toString('latin1').trim() : undefined
}

export const baseOf = (work: Work) => findCommit(at(work), refOf(work.loop, 'base'))

/** True where two commits have the same tree. */
export async function isSameTree(work: Work, one: string, other: string): Promise<boolean> {
  const trees = await git(['rev-parse', '--verify', `${one}^{tree}`], at(work))
  return trees === (await git(['rev-parse', '--verify', `${other}^{tree}`], at(work)))
}

const filesBytesMax = 64 * 1024 ** 2 // The names of some 500,000 files.

export async function countChanged(work: Work, base: string, sha: string): Promise<number> {
  const args = ['diff-tree', '-r', '-z', '--no-renames', '--name-only', base, sha, '--']
  const { output } = await tryGit(args, { ...at(work), outputBytesMax: filesBytesMax })
  return output.reduce((count, byte) => (byte === 0 ? count + 1 : count), 0)
}

const planBytesMax = 1024 ** 2

/** A file's text at a commit; null where it is absent, no plain file, or over 1 MiB. */
export async function readFileAt(
  options: GitOptions,
  sha: string,
  path: string,
): Promise<string | null> {
  const object = `${sha}:${path}`
  const size = await tryGit(['cat-file', '-s', object], options)
  if (size.exit !== 0 || Number(size.output) > planBytesMax) return null
  const { exit, output } = await tryGit(['cat-file', 'blob', object], options)
  return exit === 0 ? output.toString('utf8') : null
}

export const readPlan = (work: Work, sha: string, path: string) => readFileAt(at(work), sha, path)

/** A commit with all its history as a bundle, for a checkout. Made once a commit; the one before it goes. */
export async function bundleOf(work: Work, sha: string): Promise<string> {
  const folder = join(work.path, 'checkout')
  const file = join(folder, `${sha}.bundle`)
  if (await stat(file).catch(() => undefined)) return file
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o700 })
  await setRef(work, 'checkout', sha)
  await git(
    ['bundle', 'create', '--quiet', `${file}.new`, refOf(work.loop, 'checkout')],
    at(work, longMs),
  )
  await rename(`${file}.new`, file)
  return file
}
