// Where a loop's repository comes from and its result goes to: a path of this machine, or a URL.
// **Security.** On a path, git runs as the owner of the folder whenever this process is root: what the repository's
// metadata could bring about, its owner could do anyway.
import { realpath, stat } from 'node:fs/promises'
import { fault } from '../errors.ts'
import { isPublicAddress, resolveHost } from './address.ts'
import { type GitOptions, git, type Owner, type Protocol, streamGit, tryGit } from './git.ts'
import { baseOf, findCommit, refOf, setRef, takePack, type Work } from './work.ts'

export type LocalSource = { kind: 'local'; path: string; as: Owner | undefined }
export type RemoteSource = { kind: 'remote'; url: string; protocol: Protocol; settings: string[] }
export type Source = LocalSource | RemoteSource

/** Whether the loop may name what only somebody on this machine should reach. */
export type Reach = 'this-machine' | 'public'

const lookMs = 20_000 // A look at a source; for a URL that is one or two round trips.
const packMs = 900_000 // A gigabyte over a slow line.

export const isLocal = (repository: string) => repository.startsWith('/')

/** Throws `source/gone` with the reason where there is nothing to open. */
export const openSource = (repository: string, reach: Reach): Promise<Source> =>
  isLocal(repository) ? openPath(repository) : openUrl(repository, reach)

async function openPath(repository: string): Promise<LocalSource> {
  try {
    const path = await realpath(repository)
    const found = await stat(path)
    if (!found.isDirectory()) throw new Error('It is no folder.')
    const { uid, gid } = found
    const isOther = process.getuid?.() === 0 && uid !== 0
    return { kind: 'local', path, as: isOther ? { uid, gid } : undefined }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const say = code === 'ENOENT' ? `Nothing is at ${repository}.` : message
    throw fault('source/gone', { cause, say })
  }
}

async function openUrl(repository: string, reach: Reach): Promise<RemoteSource> {
  const url = URL.canParse(repository) ? new URL(repository) : undefined
  const protocol = url?.protocol.slice(0, -1)
  if (!url || !isProtocol(protocol))
    throw fault('source/gone', { say: `${repository} is no http(s) or ssh URL.` })
  if (url.password)
    throw fault('source/gone', { say: 'Its URL holds a password, which would be stored in clear.' })
  const settings = reach === 'public' ? await pinned(url, protocol) : []
  return {
    kind: 'remote',
    url: repository,
    protocol,
    settings: ['http.followRedirects=false', ...settings],
  }
}

const isProtocol = (text: string | undefined): text is Protocol =>
  text === 'http' || text === 'https' || text === 'ssh'

/** Checks every address of the host, and holds git to the one that was checked (DNS rebinding). */
async function pinned(url: URL, protocol: Protocol): Promise<string[]> {
  if (protocol === 'ssh') {
    throw fault('source/gone', {
      say: "An ssh URL uses this machine's own key, so it needs the owner's token.",
    })
  }
  const addresses = await resolveHost(url).catch((cause: Error) => {
    throw fault('source/gone', { cause, say: cause.message })
  })
  const hidden = addresses.find((address) => !isPublicAddress(address))
  if (hidden)
    throw fault('source/gone', {
      say: `${url.hostname} is ${hidden}, which needs the owner's token.`,
    })
  const port = url.port || (protocol === 'https' ? '443' : '80')
  const address = addresses[0]!.includes(':') ? `[${addresses[0]}]` : addresses[0]
  return [`http.curloptResolve=${url.hostname}:${port}:${address}`]
}

/** Options for git in a local source. */
export const atSource = ({ path, as }: LocalSource, signal?: AbortSignal): GitOptions => ({
  repository: path,
  msMax: lookMs,
  as,
  signal,
})

export const overWire = (
  { protocol, settings }: RemoteSource,
  repository: string,
  signal?: AbortSignal,
): GitOptions => ({
  repository,
  msMax: packMs,
  protocols: [protocol],
  settings,
  signal,
})

/** Fills a new work repository with a ref's history; the ref's commit becomes its base. */
export async function cloneInto(work: Work, source: Source, ref: string): Promise<void> {
  if (source.kind === 'local') await cloneLocal(work, source, ref)
  else await cloneRemote(work, source, ref)
  const base = await baseOf(work)
  if (!base) throw fault('source/gone', { say: `${ref} is no commit.` })
  await setRef(work, 'base', base) // A tag's own object makes way for its commit.
  await setRef(work, 'work', base)
}

async function cloneLocal(work: Work, source: LocalSource, ref: string): Promise<void> {
  const options = atSource(source, work.signal)
  const sha = await findCommit(options, ref)
  if (!sha) throw fault('source/gone', { say: `It has no ${ref}.` })
  const args = ['pack-objects', '--revs', '--stdout', '-q']
  await streamGit(args, { ...options, msMax: packMs, input: `${sha}\n` }, (pack) =>
    takePack(work, pack, 'history'),
  )
  await setRef(work, 'base', sha)
}

async function cloneRemote(work: Work, source: RemoteSource, ref: string): Promise<void> {
  const spec = `+${ref}:${refOf(work.loop, 'base')}`
  const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules']
  await git(
    [...args, '--end-of-options', source.url, spec],
    overWire(source, work.path, work.signal),
  )
}

export type RemoteRef = { sha: string; ref: string }

/** What a remote has under a name: as HEAD, branch, or tag. */
export async function listRemote(
  source: RemoteSource,
  names: readonly string[],
): Promise<RemoteRef[]> {
  const args = ['ls-remote', '--quiet', '--end-of-options', source.url, ...names]
  const { exit, output, errors } = await tryGit(args, { ...overWire(source, '/'), msMax: lookMs })
  if (exit !== 0) throw fault('source/gone', { say: errors.split('\n').at(-1) ?? '' })
  const lines = output.toString('utf8').split('\n').filter(Boolean)
  return lines.map((line) => {
    const [sha = '', ref = ''] = line.split('\t')
    return { sha, ref }
  })
}
