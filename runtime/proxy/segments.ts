// An append-only file of JSON lines, cut into segments: written at one end, read and thrown away at the other.
// **Durability.** A line is with the kernel when `append` returns, so it outlives this process however it ends (kill -9).
// It is on the disk within `syncMs` (one fdatasync for all lines of that time), so a power cut may take the last of them.
import {
  closeSync,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

export type Position = { segment: number; offset: number }
export type Segments = Disposable & {
  /** Whole lines, without the last one's end; in pieces where joining them would cost. Throws when the disk refuses; the file is then as it was before. */
  append(lines: string | readonly Buffer[]): void
  /** Whole lines from a position on, up to about `bytesMax` of them; empty at the end. */
  read(from: Position, bytesMax: number): Promise<{ lines: string[]; next: Position }>
  /** The same as bytes, each line with its end, all of the segment that `next` is in. */
  readBytes(from: Position, bytesMax: number): Promise<{ bytes: Buffer; next: Position }>
  /** Deletes the segments before this one. */
  discardBefore(segment: number): void
  /** Where the oldest kept line begins, and where the next one goes. */
  start(): Position
  end(): Position
  /** The segment that the next append goes to. */
  next(): number
  bytes(): number
  /** Those of this segment and of all after it. */
  bytesFrom(segment: number): number
}

export type SegmentOptions = {
  folder: string
  name: string
  segmentBytesMax: number
  /** Null = never: for what may be lost. */
  syncMs: number | null
  /** Told when a sync fails. What was written stays, and the next sync tries again. */
  onSyncError?: (error: Error) => void
}

/** Opens what is there and goes on in a new segment, so a line torn by a power cut stays the last of its file. */
export function openSegments(options: SegmentOptions): Segments {
  const { folder, name, segmentBytesMax } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pathOf = (segment: number) =>
    join(folder, `${name}-${String(segment).padStart(8, '0')}.jsonl`)
  const sizes = findSegments(folder, name)
  let current = Math.max(0, ...sizes.keys())
  let fd = -1
  let size = 0
  let total = sizes.values().reduce((sum, bytes) => sum + bytes, 0)
  const sync = createSync(options)
  openNext()

  function openNext(): void {
    const opened = openSync(pathOf(current + 1), 'ax', 0o600)
    if (fd >= 0) sync.close(fd)
    current += 1
    fd = opened
    size = 0
    sizes.set(current, 0)
  }

  function append(lines: string | readonly Buffer[]): void {
    if (size >= segmentBytesMax) openNext()
    const pieces = typeof lines === 'string' ? [Buffer.from(`${lines}\n`)] : [...lines, lineEnd]
    const bytes = writeWhole(fd, pieces, size)
    size += bytes
    total += bytes
    sizes.set(current, size)
    sync.want(fd)
  }

  async function readBytes(from: Position, bytesMax: number) {
    let { segment, offset } = from
    while (segment < current && offset >= (sizes.get(segment) ?? 0))
      [segment, offset] = [segment + 1, 0]
    const left = (sizes.get(segment) ?? 0) - offset
    if (left <= 0) return { bytes: nothing, next: { segment, offset } }
    const bytes = await readLines(pathOf(segment), offset, left, bytesMax)
    if (bytes.length > 0) return { bytes, next: { segment, offset: offset + bytes.length } }
    return readBytes({ segment: segment + 1, offset: 0 }, bytesMax) // A torn last line: nobody was told it was written.
  }

  async function read(from: Position, bytesMax: number) {
    const { bytes, next } = await readBytes(from, bytesMax)
    return { lines: bytes.toString().split('\n').slice(0, -1), next }
  }

  return {
    append,
    read,
    readBytes,
    discardBefore(segment) {
      for (const old of [...sizes.keys()].filter(
        (candidate) => candidate < Math.min(segment, current),
      )) {
        unlinkSync(pathOf(old))
        total -= sizes.get(old)!
        sizes.delete(old)
      }
    },
    start: () => ({ segment: sizes.keys().next().value!, offset: 0 }),
    end: () => ({ segment: current, offset: size }),
    next: () => (size >= segmentBytesMax ? current + 1 : current),
    bytes: () => total,
    bytesFrom: (first) =>
      sizes.entries().reduce((sum, [segment, size]) => sum + (segment < first ? 0 : size), 0),
    [Symbol.dispose]: () => sync.close(fd),
  }
}

function findSegments(folder: string, name: string): Map<number, number> {
  const pattern = new RegExp(`^${name}-(\\d{8})\\.jsonl$`)
  const found = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const segment = pattern.exec(file)?.[1]
      return segment ? [[Number(segment), statSync(join(folder, file)).size] as const] : []
    })
  return new Map(found)
}

const nothing = Buffer.alloc(0)
const lineEnd = Buffer.from('\n')
const piecesMax = 1_000 // Of one call of the system (IOV_MAX is 1,024).

/** A write may take a part and then fail, on a full disk: then what it took is cut off again. */
function writeWhole(fd: number, pieces: readonly Buffer[], size: number): number {
  try {
    let bytes = 0
    for (let at = 0; at < pieces.length; at += piecesMax) {
      bytes += writePieces(fd, pieces.slice(at, at + piecesMax))
    }
    return bytes
  } catch (error) {
    ftruncateSync(fd, size)
    throw error
  }
}

function writePieces(fd: number, pieces: readonly Buffer[]): number {
  const wanted = pieces.reduce((sum, { length }) => sum + length, 0)
  let left = wanted
  for (let rest: readonly Buffer[] = pieces; ; ) {
    left -= writevSync(fd, rest)
    if (left === 0) return wanted
    rest = [Buffer.concat(pieces).subarray(wanted - left)] // A short write is rare: joined then.
  }
}

/** Bytes up to the last line's end in the window; the window grows for a line that is longer. */
async function readLines(
  path: string,
  offset: number,
  left: number,
  bytesMax: number,
): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    for (let window = bytesMax; ; window *= 4) {
      const { buffer, bytesRead } = await file.read(
        Buffer.allocUnsafe(Math.min(window, left)),
        0,
        Math.min(window, left),
        offset,
      )
      const end = buffer.subarray(0, bytesRead).lastIndexOf('\n')
      if (end >= 0 || window >= left) return buffer.subarray(0, end + 1)
    }
  } finally {
    await file.close()
  }
}

/** Group commit: the first line after a sync starts the clock, all that come meanwhile share the next sync. */
function createSync({ syncMs, onSyncError }: SegmentOptions) {
  let timer: NodeJS.Timeout | undefined
  const syncThen = (fd: number, next?: () => void) =>
    fdatasync(fd, (error) => {
      if (error) onSyncError?.(error)
      next?.()
    })
  return {
    want(fd: number) {
      if (syncMs === null) return
      timer ??= setTimeout(() => {
        timer = undefined
        syncThen(fd)
      }, syncMs).unref()
    },
    close(fd: number) {
      clearTimeout(timer)
      timer = undefined
      if (syncMs === null) closeSync(fd)
      else syncThen(fd, () => closeSync(fd))
    },
  }
}
