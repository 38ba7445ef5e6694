// A loop's result into its source: a new branch, or one that moves forward. Nothing that is checked out ever moves.
import { mkdir, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Fault } from '#kernel/fault.ts'
import { git, streamGit, tryGit } from './git.ts'
import { atSource, type LocalSource, overWire, type RemoteSource, type Source } from './source.ts'
import { findCommit, type Work } from './work.ts'

export type Result = { base: string; sha: string; branch: string }
export type Delivered = { branch: string } | { reason: string }

const packMs = 900_000
const never = '0'.repeat(40) // For update-ref: the ref must not exist yet.

/** The branch in the source, or why it could not be made. Doing it again changes nothing. */
export async function deliver(work: Work, source: Source, result: Result): Promise<Delivered> {
  try {
    const reason =
      source.kind === 'local'
        ? await toPath(work, source, result)
        : await toUrl(work, source, result)
    return reason ? { reason } : { branch: result.branch }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { reason: error.publicMessage }
  }
}

async function toPath(
  work: Work,
  source: LocalSource,
  { base, sha, branch }: Result,
): Promise<string | undefined> {
  const options = atSource(source, work.signal)
  const ref = `refs/heads/${branch}`
  const old = await findCommit(options, ref)
  if (old === sha) return undefined
  if (await isCheckedOut(source, ref)) return `The branch ${branch} is checked out.`
  const known = (await findCommit(options, base)) === base
  await send(work, source, known ? `${sha}\n^${base}\n` : `${sha}\n`)
  if (old && !(await isAncestor(source, old, sha))) {
    return `The branch ${branch} has commits that the result lacks.`
  }
  await git(['update-ref', '-m', 'treadle: result of a loop', ref, sha, old ?? never], options)
  return undefined
}

/** The objects that the source lacks, checked once more on their way in. */
async function send(work: Work, source: LocalSource, revisions: string): Promise<void> {
  const args = ['pack-objects', '--revs', '--stdout', '-q']
  const from = { repository: work.path, msMax: packMs, signal: work.signal, input: revisions }
  await streamGit(args, from, (pack) =>
    git(['index-pack', '--stdin', '--strict'], {
      ...atSource(source, work.signal),
      msMax: packMs,
      input: pack,
    }),
  )
}

/** In the main work tree or any other. A bare repository has none. */
export async function isCheckedOut(source: LocalSource, ref: string): Promise<boolean> {
  const trees = await git(['worktree', 'list', '--porcelain'], atSource(source))
  return trees.split('\n').includes(`branch ${ref}`)
}

export async function isAncestor(source: LocalSource, old: string, sha: string): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', old, sha]
  return (await tryGit(args, atSource(source))).exit === 0
}

/** Without force, so the other side refuses what is no fast-forward. */
async function toUrl(
  work: Work,
  source: RemoteSource,
  { sha, branch }: Result,
): Promise<undefined> {
  const args = ['push', '--quiet', '--no-verify', '--end-of-options', source.url]
  await git([...args, `${sha}:refs/heads/${branch}`], overWire(source, work.path, work.signal))
}

/** The result as a file, for a result that found no other place. */
export async function bundleResult(
  work: Work,
  { base, sha, branch }: Result,
  file: string,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const options = { repository: work.path, msMax: packMs, signal: work.signal }
  await git(['update-ref', `refs/heads/${branch}`, sha], options)
  await git(
    ['bundle', 'create', '--quiet', `${file}.new`, `^${base}`, `refs/heads/${branch}`],
    options,
  )
  await rename(`${file}.new`, file)
}
