import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { resolveInside } from './folder.ts'
import type { Tool } from './tool.ts'

const entriesMax = 1_000 // What is shown.
const visitsMax = 50_000 // What is looked at, however deep and wide the tree is.
const skipped: readonly string[] = ['.git', 'node_modules']

export const listFiles: Tool = {
  definition: {
    name: 'list_files',
    description: `Lists a folder, folders with a slash at the end. With a glob such as **/*.ts: every \
matching file below it, ${skipped.join(' and ')} left out. At most ${entriesMax} entries.`,
    input_schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'The folder, relative to the work folder.' },
        glob: { type: 'string', description: 'Matched against paths relative to `path`.' },
      },
      required: ['path'],
    },
  },
  show: ({ path, glob }) => (glob === undefined ? String(path) : `${path} ${glob}`),
  async run({ path, glob }, { root, signal }) {
    const folder = await resolveInside(root, String(path))
    const found = glob === undefined ? listOne(folder) : listMatching(folder, String(glob), signal)
    const { entries, isCut } = await found
    const rest = isCut ? '\n[there are more; ask for a narrower path or glob]' : ''
    return { text: (entries.join('\n') || '[nothing]') + rest, note: `${entries.length} entries` }
  },
}

type Listing = { entries: string[]; isCut: boolean }

async function listOne(folder: string): Promise<Listing> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort()
  return { entries: names.slice(0, entriesMax), isCut: names.length > entriesMax }
}

/** Walks breadth first. Links are never followed, so the walk stays inside and ends. */
async function listMatching(folder: string, glob: string, signal: AbortSignal): Promise<Listing> {
  const entries: string[] = []
  const folders = ['']
  let visits = 0
  for (const below of folders) {
    signal.throwIfAborted()
    for (const child of await childrenOf(folder, below)) {
      const path = join(below, child.name)
      visits += 1
      if (visits > visitsMax || entries.length === entriesMax) return { entries, isCut: true }
      if (!child.isDirectory() && matchesGlob(path, glob)) entries.push(path)
      if (child.isDirectory() && !skipped.includes(child.name)) folders.push(path)
    }
  }
  return { entries: entries.sort(), isCut: false }
}

async function childrenOf(folder: string, below: string): Promise<Dirent[]> {
  try {
    return await readdir(join(folder, below), { withFileTypes: true })
  } catch (error) {
    if (below === '') throw error
    return [] // A folder further down that is gone or closed hides nothing else.
  }
}
