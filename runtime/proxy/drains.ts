// Answers that run on though their client left, because a policy wants their exact end: bounded each by time and bytes, all
// of them by what bounds calls in flight, and cut when the process ends.

export type Drain = {
  /** Bytes came for nobody. */
  took(bytes: number): void
  over(): void
}
export type Drains = {
  /** @param cut Ends it. Null = none may begin: the process ends. */
  begin(cut: () => void): Drain | null
  /** Ends all, and lets none begin. */
  close(): void
}

export function createDrains({ msMax, bytesMax }: { msMax: number; bytesMax: number }): Drains {
  const cuts = new Set<() => void>()
  let isClosed = false
  return {
    begin(cut) {
      if (isClosed) return null
      let left = bytesMax
      const timer = setTimeout(cut, msMax)
      cuts.add(cut)
      return {
        took(bytes) {
          left -= bytes
          if (left < 0) cut()
        },
        over() {
          clearTimeout(timer)
          cuts.delete(cut)
        },
      }
    },
    close() {
      isClosed = true
      for (const cut of cuts) cut()
    },
  }
}
