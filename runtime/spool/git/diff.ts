// What a commit changed, file by file, bounded. Two looks of git: names and counts first, then patches in the same order.
// **Security.** Both sides are an agent's. No external diff, no text conversion, no attribute of the tree is heeded;
// names come NUL-separated, and the quoted ones in patches are never read. Guarded by git/diff.test.ts.
import type { Readable } from 'node:stream'
import type { ChangedFile, Changes } from '../api.ts'
import { type DiffEntry, parseEntries } from './diff-entries.ts'
import { createPatchReader, type Patch } from './diff-patches.ts'
import { type GitOptions, streamGit, tryGit } from './git.ts'
import type { Work } from './work.ts'

const msMax = 20_000 // The pass waits for it.
const listBytesMax = 32 * 1024 ** 2 // Some 100,000 files, each named twice.
const readBytesMax = 64 * 1024 ** 2 // What git may print of patches before the rest is left out.
const filesMax = 500
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

const settings = [
  'core.bigFileThreshold=1m', // Larger files count as binary: two of them side by side take memory and minutes.
  'core.attributesFile=/dev/null',
  `attr.tree=${emptyTree}`, // A newer git looks for attributes in a tree; an older one does not know the setting.
]

const common = ['diff-tree', '-r', '--no-ext-diff', '--no-textconv', '--no-color', '-M', '-l400']
const listing = [...common, '-z', '--raw', '--no-abbrev', '--numstat']
const patching = [...common, '-p', '-U3', '--submodule=short', '--src-prefix=a/', '--dst-prefix=b/']

/** Throws where git does not come to an end with the list; patches that it does not come to are left out. */
export async function readChanges(work: Work, base: string, sha: string): Promise<Changes> {
  const entries = base === sha ? [] : await listEntries(work, base, sha)
  const shown = entries.slice(0, filesMax)
  const patches = shown.length === 0 ? [] : await readPatches(work, { base, sha, shown })
  const files = shown.map((entry, at) => toFile(entry, patches[at]))
  return {
    base,
    sha,
    files,
    isCut: entries.length > shown.length || files.some(({ isCut }) => isCut),
    counts: {
      files: entries.length,
      additions: entries.reduce((sum, { additions }) => sum + additions, 0),
      deletions: entries.reduce((sum, { deletions }) => sum + deletions, 0),
    },
  }
}

const at = ({ path, signal }: Work): GitOptions => ({ repository: path, msMax, signal, settings })

async function listEntries(work: Work, base: string, sha: string): Promise<DiffEntry[]> {
  const options = { ...at(work), outputBytesMax: listBytesMax }
  const { exit, output, errors } = await tryGit([...listing, base, sha, '--'], options)
  if (exit !== 0) throw new Error(`git diff-tree: ${errors}`)
  return parseEntries(output.toString('utf8'))
}

type Asked = { base: string; sha: string; shown: readonly DiffEntry[] }

/** A patch for each file, as far as git came within its time and within the bounds. */
async function readPatches(work: Work, { base, sha, shown }: Asked): Promise<Patch[]> {
  const reader = createPatchReader(shown)
  try {
    await streamGit([...patching, base, sha, '--'], at(work), (output) => feed(output, reader))
  } catch (error) {
    if (!(error instanceof Enough) && work.signal?.aborted) throw error
    reader.cut() // Too much, or too slow: what was read is shown.
  }
  return reader.end()
}

/** Ends git where its rest is not wanted. */
class Enough extends Error {
  override readonly name = 'Enough'
}

async function feed(output: Readable, reader: ReturnType<typeof createPatchReader>): Promise<void> {
  let bytes = 0
  for await (const chunk of output as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (!reader.push(chunk) || bytes > readBytesMax) throw new Enough()
  }
}

function toFile(entry: DiffEntry, patch: Patch | undefined): ChangedFile {
  const { path, oldPath, status, oldMode, mode, additions, deletions, isBinary } = entry
  const hasPatch = !isBinary && additions + deletions > 0
  return {
    ...{ path, oldPath, status, oldMode, mode, additions, deletions, isBinary },
    patch: hasPatch ? (patch?.text ?? '') : '',
    isCut: hasPatch && (patch?.isCut ?? true),
  }
}
