import { appendFile, type FileHandle, open, readdir } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { fault } from './errors.ts'
import { type Git, git, unbundle } from './git.ts'
import type { Pod } from './pod.ts'
import { withPrivateFolder } from './private-folder.ts'
import { readToFile } from './wire.ts'

/** What a snapshot starts from. The bundle has no name in the file system: nothing that the agent removes. */
export type Checkout = { sha: string; bundle: FileHandle }

const bundleBytesMax = 2 * 1024 ** 3 // The largest repositories worth a fresh checkout every pass.

/** Fills the empty workspace from a bundle: an ordinary repository, on the branch `work`. */
export async function checkOut(
  pod: Pod,
  sha: string,
  body: IncomingMessage,
  signal: AbortSignal,
): Promise<Checkout> {
  if ((await readdir(pod.work)).length > 0) throw fault('pod/checked-out')
  const bundle = await receive(body)
  try {
    await fill({ cwd: pod.work, env: pod.env, signal }, sha, bundle)
    return { sha, bundle }
  } catch (error) {
    await bundle.close()
    throw error
  }
}

const receive = (body: IncomingMessage): Promise<FileHandle> =>
  withPrivateFolder(async (folder) => {
    const bundle = await open(join(folder, 'bundle'), 'wx+', 0o600)
    try {
      await readToFile(body, bundle, bundleBytesMax)
      return bundle
    } catch (error) {
      await bundle.close()
      throw error
    }
  })

async function fill(at: Git, sha: string, bundle: FileHandle): Promise<void> {
  await git(at, ['init', '--quiet', '--template=', '--initial-branch=work'])
  await unbundle(at, bundle.fd)
  await git(at, ['reset', '--quiet', '--hard', sha], { onFailure: 'pod/bundle-refused' })
  await appendFile(join(at.cwd, '.git', 'config'), agentConfig)
}

// The agent commits as it likes; what counts is the snapshot, which has an author of its own.
const agentConfig = '[user]\n\tname = Treadle agent\n\temail = agent@localhost\n'
