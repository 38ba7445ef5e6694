export type Tail = {
  push(chunk: Buffer): void
  /** A copy of the last bytes, at most as many as are kept. */
  last(bytesMax?: number): Buffer
  /** Of everything pushed, kept or not. */
  readonly totalBytes: number
}

/** Keeps the last `bytesMax` bytes of a stream, in memory of that size, whatever goes through. */
export function createTail(bytesMax: number): Tail {
  const ring = Buffer.alloc(bytesMax)
  let totalBytes = 0

  return {
    push(chunk) {
      const kept = chunk.subarray(Math.max(0, chunk.length - bytesMax))
      const at = (totalBytes + chunk.length - kept.length) % bytesMax
      const copied = kept.copy(ring, at)
      kept.copy(ring, 0, copied)
      totalBytes += chunk.length
    },
    last(wanted = bytesMax) {
      const length = Math.min(wanted, totalBytes, bytesMax)
      const from = (totalBytes - length) % bytesMax
      const first = ring.subarray(from, Math.min(from + length, bytesMax))
      return Buffer.concat([first, ring.subarray(0, length - first.length)])
    },
    get totalBytes() {
      return totalBytes
    },
  }
}
