/** A stream's last bytes, each at its offset from the stream's start. */
export type Tail = {
  push(chunk: Buffer): void
  /** A copy of the last bytes, at most as many as are kept. */
  last(bytesMax?: number): Buffer
  /** A copy of at most `bytesMax` bytes from this offset on; the offset is kept, or the end. */
  slice(offset: number, bytesMax: number): Buffer
  /** Of the oldest byte that is kept. */
  readonly startOffset: number
  /** Of everything pushed, kept or not: the offset of the byte that comes next. */
  readonly totalBytes: number
}

/** Keeps the last `bytesMax` bytes of a stream, in memory of that size, whatever goes through. */
export function createTail(bytesMax: number): Tail {
  const ring = Buffer.alloc(bytesMax)
  let totalBytes = 0

  const slice: Tail['slice'] = (offset, wanted) => {
    const length = Math.min(wanted, totalBytes - offset)
    const from = offset % bytesMax
    const first = ring.subarray(from, Math.min(from + length, bytesMax))
    return Buffer.concat([first, ring.subarray(0, length - first.length)])
  }
  return {
    push(chunk) {
      const kept = chunk.subarray(Math.max(0, chunk.length - bytesMax))
      const at = (totalBytes + chunk.length - kept.length) % bytesMax
      const copied = kept.copy(ring, at)
      kept.copy(ring, 0, copied)
      totalBytes += chunk.length
    },
    slice,
    last(wanted = bytesMax) {
      const length = Math.min(wanted, totalBytes, bytesMax)
      return slice(totalBytes - length, length)
    },
    get startOffset() {
      return Math.max(0, totalBytes - bytesMax)
    },
    get totalBytes() {
      return totalBytes
    },
  }
}
