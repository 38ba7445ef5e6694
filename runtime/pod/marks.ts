// When which byte of a terminal came, and how large the terminal was then.
export type Size = { cols: number; rows: number }
export type Mark = Size & {
  /** Of the first byte that came at `atMs`. */
  offset: number
  /** Epoch ms, by a clock that never goes back. */
  atMs: number
}
export type Marks = {
  /** Before these bytes are counted: one mark for what comes within a few milliseconds. */
  note(offset: number, size: Size): void
  /** The kept ones, oldest first. */
  list(): Mark[]
}

const togetherMs = 10 // A screen is drawn 60 times a second at most; a player shows no more.
const togetherBytes = 16 * 1024 // A recording loses its head mark by mark: small ones lose little.

/** Keeps the last `marksMax` marks, in memory of that size. */
export function createMarks(marksMax: number, nowMs: () => number): Marks {
  const offsets = new Float64Array(marksMax)
  const times = new Float64Array(marksMax)
  const sizes = new Uint32Array(marksMax) // Columns and rows, 16 bits each.
  let made = 0
  const at = (index: number): Mark => {
    const place = index % marksMax
    const size = sizes[place]!
    return {
      ...{ offset: offsets[place]!, atMs: times[place]! },
      ...{ cols: size >>> 16, rows: size & 0xffff },
    }
  }
  return {
    note(offset, { cols, rows }) {
      const last = made > 0 ? at(made - 1) : undefined
      const isSameSize = last?.cols === cols && last.rows === rows
      const atMs = nowMs()
      const isTogether =
        last && atMs - last.atMs < togetherMs && offset - last.offset < togetherBytes
      if (isTogether && isSameSize) return
      const place = made % marksMax
      offsets[place] = offset
      times[place] = atMs
      sizes[place] = ((cols << 16) | rows) >>> 0
      made += 1
    },
    list: () => {
      const first = Math.max(0, made - marksMax)
      return Array.from({ length: made - first }, (_, index) => at(first + index))
    },
  }
}
