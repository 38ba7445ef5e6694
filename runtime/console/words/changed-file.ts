// A changed file in words.
import type { ChangedFile } from '../../spool/api.ts'

const linesOpenMax = 400 // One file longer than this begins closed.
const linesOpenSumMax = 3_000 // And all that come after so many lines.

/** Which files begin open, so that a page of changes stays quick. */
export function planOpen(files: readonly ChangedFile[]): boolean[] {
  let sum = 0
  return files.map(({ additions, deletions, patch }) => {
    const lines = patch === '' ? 0 : additions + deletions
    if (lines > linesOpenMax || sum + lines > linesOpenSumMax) return false
    sum += lines
    return true
  })
}

const modes: Readonly<Record<string, string>> = {
  '100644': 'a file',
  '100755': 'an executable file',
  '120000': 'a symbolic link',
  '160000': 'a submodule',
}

/** What is to be known besides the lines; '' = nothing. */
export function toFileNote(file: ChangedFile): string {
  return [toNameNote(file), toModeNote(file), toBodyNote(file)].filter(Boolean).join(' ')
}

const toNameNote = ({ status, oldPath }: ChangedFile) =>
  status === 'renamed' && oldPath !== null ? `Renamed from ${oldPath}.` : ''

function toModeNote({ status, oldMode, mode }: ChangedFile): string {
  const say = (value: string) => modes[value] ?? `mode ${value}`
  if (status === 'added') return mode === null || mode === '100644' ? '' : `Is ${say(mode)}.`
  if (oldMode === null || mode === null || oldMode === mode) return ''
  return `Was ${say(oldMode)}, is ${say(mode)}.`
}

function toBodyNote({ isBinary, isCut, patch, additions, deletions, status }: ChangedFile): string {
  if (isBinary) return 'Binary, or over 1 MiB: its content is not shown.'
  if (patch === '' && isCut) return 'Too long to be kept. The branch has it whole.'
  if (isCut) return 'Cut: the branch has the rest.'
  if (patch === '' && additions + deletions === 0 && status === 'added') return 'Empty.'
  return ''
}
