// What a session or a key has open, so that its end is theirs too: an event stream or a terminal would else outlive it.

export type LiveLines = {
  /** Until the answer of this is called. */
  hold(holder: string, cut: () => void): () => void
  cut(holders: readonly string[]): void
}

export function createLiveLines(): LiveLines {
  const lines = new Map<string, Set<() => void>>() // As many as connections are open.
  return {
    hold(holder, cut) {
      const held = lines.get(holder) ?? new Set()
      lines.set(holder, held.add(cut))
      return () => {
        held.delete(cut)
        if (held.size === 0 && lines.get(holder) === held) lines.delete(holder)
      }
    },
    cut(holders) {
      for (const holder of holders) for (const cut of [...(lines.get(holder) ?? [])]) cut()
    },
  }
}
