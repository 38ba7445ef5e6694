// Patches as `git diff-tree -p` prints them, cut into files while they come, whole hunk by whole hunk.
// Names in a patch's header are not read: sections come in the order of the list. Lines of content begin with a blank,
// a plus, a minus or a backslash, so that no content can pose as a section or a hunk.
import type { DiffEntry } from './diff-entries.ts'

export type Patch = { text: string; isCut: boolean }

const fileBytesMax = 256 * 1024 // One file's patch: more than anybody reads.
const allBytesMax = 1024 ** 2
const [newline, section, hunk] = [10, Buffer.from('diff --git '), Buffer.from('@@ ')]

type File = { hunks: Buffer[]; bytes: number; isCut: boolean }

export function createPatchReader(entries: readonly Pick<DiffEntry, 'sections'>[]) {
  const owners = entries.flatMap(({ sections }, at) => Array<number>(sections).fill(at))
  const files: File[] = entries.map(() => ({ hunks: [], bytes: 0, isCut: false }))
  let rest: Buffer = Buffer.alloc(0)
  let seen = -1 // The section that is read.
  let total = 0
  let open: Buffer[] | undefined // The hunk that is read; undefined in a header.
  let openBytes = 0
  return {
    /** False where nothing more is wanted. */
    push(chunk: Buffer): boolean {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let from = 0
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, from)) {
        if (!line(bytes.subarray(from, end + 1))) return false
        from = end + 1
      }
      rest = bytes.subarray(from)
      return rest.length <= fileBytesMax * 8 // No line of a file of 1 MiB is longer.
    },
    /** What is read now does not come to its end. */
    cut(): void {
      open = undefined
      const file = files[owners[seen] ?? -1]
      if (file) file.isCut = true
      rest = Buffer.alloc(0)
    },
    end(): Patch[] {
      close()
      const last = seen < owners.length ? (owners[seen] ?? -1) : files.length
      return files.map(({ hunks, isCut }, at) => ({
        text: Buffer.concat(hunks).toString('utf8'),
        isCut: isCut || at > last,
      }))
    },
  }

  function line(bytes: Buffer): boolean {
    if (startsWith(bytes, section)) {
      close()
      seen += 1
      return seen < owners.length
    }
    if (startsWith(bytes, hunk)) {
      close()
      open = []
    }
    if (!open) return true
    openBytes += bytes.length
    // A copy: the chunk that it lies in would be kept whole.
    if (openBytes <= fileBytesMax) open.push(Buffer.from(bytes))
    return true
  }

  /** The hunk that was read goes to its file where it fits; else the file is cut there. */
  function close(): void {
    const file = files[owners[seen] ?? -1]
    if (open && file && !file.isCut) {
      const fits = file.bytes + openBytes <= fileBytesMax && total + openBytes <= allBytesMax
      if (fits) file.hunks.push(...open)
      else file.isCut = true
      file.bytes += fits ? openBytes : 0
      total += fits ? openBytes : 0
    }
    open = undefined
    openBytes = 0
  }
}

const startsWith = (bytes: Buffer, start: Buffer) =>
  bytes.length >= start.length && bytes.compare(start, 0, start.length, 0, start.length) === 0
