// What a session has open, so that its end is theirs too: an event stream or a terminal would else outlive it.

export type LiveLines = {
  /** Until the answer of this is called. */
  hold(session: string, cut: () => void): () => void
  cut(sessions: readonly string[]): void
}

export function createLiveLines(): LiveLines {
  const lines = new Map<string, Set<() => void>>() // As many as connections are open.
  return {
    hold(session, cut) {
      const held = lines.get(session) ?? new Set()
      lines.set(session, held.add(cut))
      return () => {
        held.delete(cut)
        if (held.size === 0 && lines.get(session) === held) lines.delete(session)
      }
    },
    cut(sessions) {
      for (const session of sessions) for (const cut of [...(lines.get(session) ?? [])]) cut()
    },
  }
}
