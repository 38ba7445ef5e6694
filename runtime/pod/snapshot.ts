// The work tree as one commit on its base, whatever the agent did to its own repository.
// The agent's `.git` is not looked at: not its config, hooks, index, ignores, attributes or objects.
import { existsSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Snapshot } from '../weaver/api.ts'
import { fault } from './errors.ts'
import { type Git, git, toLine, toNames, unbundle } from './git.ts'
import type { Pod } from './pod.ts'
import { withPrivateFolder } from './private-folder.ts'
import { killEverything } from './processes.ts'
import { run } from './run.ts'

/** Without a bundle nothing changed, and `sha` is the base. Whoever gets the bundle closes it. */
export type Snapped = {
  sha: string
  filesChanged: number
  bundle?: FileHandle
  bundleBytes: number
}

const bundleBytesMax = 512 * 1024 ** 2 // One pass of one agent; more is a dump, not a change.
const nestedRoundsMax = 100
const chmodMsMax = 60_000

/** Kills whatever the agent left running: the work tree stands still. The agent itself must have ended. */
export function snapshot(
  pod: Pod,
  { base, message }: Snapshot,
  signal: AbortSignal,
): Promise<Snapped> {
  const { checkout, agent } = pod
  if (checkout?.sha !== base) throw fault('pod/base-unknown')
  if (agent?.state().state === 'running') throw fault('pod/agent-running')
  killEverything(pod)
  return withPrivateFolder(async (folder) => {
    await mkdir(pod.work, { recursive: true }) // An agent that removed all of it removed every file.
    const gitDir = join(folder, 'clean.git')
    await git({ cwd: folder, env: pod.env, signal }, [
      'init',
      '--quiet',
      '--bare',
      '--template=',
      gitDir,
    ])
    const clean: Git = { cwd: pod.work, env: pod.env, gitDir, workTree: pod.work, signal }
    await unbundle(clean, checkout.bundle.fd)
    await addAll(clean, base)
    const sha = await commit(clean, base, message)
    if (sha === base) return { sha, filesChanged: 0, bundleBytes: 0 }
    const changed = await git(clean, ['diff-tree', '-r', '-z', '--name-only', base, sha])
    return { sha, filesChanged: toNames(changed).length, ...(await bundleUp(clean, base, sha)) }
  })
}

async function addAll(clean: Git, base: string): Promise<void> {
  await git(clean, ['read-tree', base])
  try {
    await addReadable(clean)
  } catch {
    // What the agent made unreadable is its own, and so the daemon's too. A second failure is told.
    const argv = ['chmod', '-R', 'u+rwX', '--', clean.cwd]
    await run({ ...clean, argv, timeoutMs: chmodMsMax, outputs: 'apart', outputBytesMax: 1024 })
    await addReadable(clean)
  }
}

/** Git passes over a folder that it can't open with a warning alone: that would lose files in silence. */
async function addReadable(clean: Git): Promise<void> {
  await freeSubmodules(clean)
  await flattenNested(clean)
  const { errorOutput } = await git(clean, ['add', '--all'], { onFailure: 'pod/tree-refused' })
  const warning = /^warning: could not open directory.*$/m.exec(errorOutput.toString())
  if (warning) throw fault('pod/tree-refused', { say: warning[0] })
}

/** A repository inside the workspace would become a link to a commit that nobody has: it becomes plain files. */
async function flattenNested(clean: Git): Promise<void> {
  for (let round = 0; round < nestedRoundsMax; round += 1) {
    const others = await git(clean, ['ls-files', '--others', '--exclude-standard', '-z'])
    const nested = toNames(others).filter((name) => name.endsWith('/'))
    if (nested.length === 0) return
    for (const name of nested) {
      await rm(join(clean.cwd, name, '.git'), { recursive: true, force: true })
    }
  }
  throw fault('pod/tree-refused', {
    say: `Repositories lie ${nestedRoundsMax} deep in each other.`,
  })
}

/** A submodule's folder is empty after the checkout. Files in it are the agent's, and become plain files. */
async function freeSubmodules(clean: Git): Promise<void> {
  if (!existsSync(join(clean.cwd, '.gitmodules'))) return
  const entries = toNames(await git(clean, ['ls-files', '--stage', '-z']))
  const gitlinks = entries.filter((entry) => entry.startsWith('160000 '))
  for (const path of gitlinks.map((entry) => entry.slice(entry.indexOf('\t') + 1))) {
    if (await isEmpty(join(clean.cwd, path))) continue
    await git(clean, ['update-index', '--force-remove', '--', path])
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch {
    return true // Gone, or no folder any more: git sees that by itself.
  }
}

/** Plumbing only: it runs no hook and reads no template. The commit, or the base where nothing changed. */
async function commit(clean: Git, base: string, message: string): Promise<string> {
  const tree = toLine(await git(clean, ['write-tree']))
  if (tree === toLine(await git(clean, ['rev-parse', `${base}^{tree}`]))) return base
  const made = await git(clean, ['commit-tree', tree, '-p', base], { input: `${message}\n` })
  return toLine(made)
}

async function bundleUp(clean: Git, base: string, sha: string) {
  await git(clean, ['update-ref', 'refs/heads/treadle', sha])
  const file = join(clean.gitDir!, 'result.bundle')
  await git(clean, ['bundle', 'create', '--quiet', file, `^${base}`, 'refs/heads/treadle'])
  const bundle = await open(file)
  const { size: bundleBytes } = await bundle.stat()
  if (bundleBytes <= bundleBytesMax) return { bundle, bundleBytes }
  await bundle.close()
  throw fault('pod/too-large', { say: `The change is over ${bundleBytesMax} bytes.` })
}
