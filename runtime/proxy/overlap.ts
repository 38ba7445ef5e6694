// How much two bodies have in common: compared in blocks by the machine's own routine, a hundredth of reading them.

const blockBytes = 64 * 1024

/** How many bytes both begin with. */
export function commonStart(one: Buffer, other: Buffer): number {
  const bytes = Math.min(one.length, other.length)
  let at = 0
  let step = blockBytes
  while (at < bytes && step > 0) {
    const to = Math.min(bytes, at + step)
    if (one.compare(other, at, to, at, to) === 0) at = to
    else step = step > 1 ? Math.ceil((to - at) / 2) : 0
  }
  return at
}

/** How many bytes both end with, `bytesMax` at most. */
export function commonEnd(one: Buffer, other: Buffer, bytesMax: number): number {
  const bytes = Math.min(one.length, other.length, bytesMax)
  let end = 0
  let step = blockBytes
  while (end < bytes && step > 0) {
    const to = Math.min(bytes, end + step)
    const ends = [other.length - to, other.length - end] as const
    if (one.compare(other, ...ends, one.length - to, one.length - end) === 0) end = to
    else step = step > 1 ? Math.ceil((to - end) / 2) : 0
  }
  return end
}
