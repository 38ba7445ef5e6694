// The list of changed files as `git diff-tree -z --raw --numstat` prints it: all raw entries, then all counts, in one order.
import type { ChangedFile } from '../api.ts'

export type DiffEntry = Omit<ChangedFile, 'patch' | 'isCut'> & {
  /** How many sections its patch has: a file that becomes a symlink is deleted in one and added in another. */
  sections: 1 | 2
}

const statuses: Readonly<Record<string, ChangedFile['status']>> = {
  A: 'added',
  M: 'modified',
  D: 'deleted',
  R: 'renamed',
  T: 'type',
}

/** Throws where the text is not what git prints: then nothing of it is to be trusted. */
export function parseEntries(text: string): DiffEntry[] {
  const words = text.split('\0')
  let at = 0
  const next = () => {
    const word = words[at++]
    if (word === undefined) throw new Error('The list of changes ends too soon.')
    return word
  }
  const entries: DiffEntry[] = []
  while (words[at]?.startsWith(':')) entries.push(parseRaw(next(), next))
  for (const entry of entries) Object.assign(entry, parseCounts(next(), next))
  if (words.slice(at).some((word) => word !== '')) throw new Error('The list of changes goes on.')
  return entries
}

const rawLine = /^:(\d{6}) (\d{6}) [0-9a-f]{40} [0-9a-f]{40} ([A-Z])\d*$/
const nothing = '000000'
const typeOf = (mode: string) => mode.slice(0, 3) // 100 a file, 120 a symlink, 160 a submodule.

function parseRaw(word: string, next: () => string): DiffEntry {
  const [, oldMode = '', mode = '', letter = ''] = rawLine.exec(word) ?? []
  const status = statuses[letter]
  if (!status) throw new Error(`The list of changes has an unknown entry: ${word}`)
  const first = next()
  const [path, oldPath] = status === 'renamed' ? [next(), first] : [first, null]
  return {
    ...{ path, oldPath, status },
    oldMode: oldMode === nothing ? null : oldMode,
    mode: mode === nothing ? null : mode,
    ...{ additions: 0, deletions: 0, isBinary: false },
    sections: status === 'type' && typeOf(oldMode) !== typeOf(mode) ? 2 : 1,
  }
}

/** `3\t1\tname`; a rename's two names follow as words of their own; of a binary file git counts nothing. */
function parseCounts(word: string, next: () => string) {
  const [, additions, deletions, name] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(word) ?? []
  if (additions === undefined) throw new Error(`The list of changes has no counts: ${word}`)
  if (name === '') void [next(), next()]
  const isBinary = additions === '-'
  return {
    additions: isBinary ? 0 : Number(additions),
    deletions: isBinary ? 0 : Number(deletions),
    isBinary,
  }
}
