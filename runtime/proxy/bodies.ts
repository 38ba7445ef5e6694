// The last large bodies of each session. An agent says its whole conversation again with every call: what a body begins with is
// then neither scanned again nor written down again.
// **Limits.** A body is known by its bytes alone; what is not known costs a scan and a write, and no more.
import { commonStart } from './overlap.ts'
import type { Trail } from './scan/trail.ts'

export type KnownBody = {
  readonly call: string
  readonly body: Buffer
  readonly trail: Trail | null
  /** Of the conversations' file, where it stands; null = it does not. */
  segment: number | null
}
/** A known body, and how many bytes another one begins with are its. */
export type AlikeBody = { readonly known: KnownBody; readonly bytes: number }

export type Bodies = {
  /** The known body that this one has the most in common with; null = nothing worth the while. */
  find(session: string, body: Buffer): AlikeBody | null
  /** Remembers it in the place of the one that it goes on from. Null = it is too small for that, or too large. */
  keep(
    session: string,
    known: Omit<KnownBody, 'segment'>,
    alike: AlikeBody | null,
  ): KnownBody | null
}

const bodyBytesMin = 32 * 1024
const bodyBytesMax = 4 * 1024 * 1024
const allBytesMax = 32 * 1024 * 1024
const perSession = 2 // An agent and the helper that it has at work.

export function createBodies(): Bodies {
  const sessions = new Map<string, KnownBody[]>()
  let bytes = 0
  const put = (session: string, all: KnownBody[]) => {
    for (const { body } of sessions.get(session) ?? []) bytes -= body.length
    sessions.delete(session) // The last used stand last.
    if (all.length > 0) sessions.set(session, all)
    for (const { body } of all) bytes += body.length
  }
  return {
    find(session, body) {
      if (body.length < bodyBytesMin) return null
      let best: AlikeBody | null = null
      for (const known of sessions.get(session) ?? []) {
        const common = commonStart(known.body, body)
        if (common >= (best?.bytes ?? bodyBytesMin / 2)) best = { known, bytes: common }
      }
      return best
    },
    keep(session, { call, body, trail }, alike) {
      if (body.length < bodyBytesMin || body.length > bodyBytesMax) return null
      const kept: KnownBody = { call, body, trail, segment: null }
      const others = (sessions.get(session) ?? []).filter((one) => one !== alike?.known)
      put(session, [...others.slice(1 - perSession), kept])
      for (const oldest of sessions.keys()) {
        if (bytes <= allBytesMax) break
        put(oldest, [])
      }
      return kept
    },
  }
}
