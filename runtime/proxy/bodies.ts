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

export const bodyBytesMin = 32 * 1024
const bodyBytesMax = 4 * 1024 * 1024
const allBytesMax = 32 * 1024 * 1024
const idleMsMax = 10 * 60_000 // Longer than an agent's tools mostly take.
const perSession = 2 // An agent and the helper that it has at work.

export function createBodies(): Bodies {
  const sessions = new Map<string, { all: KnownBody[]; usedMs: number }>()
  let bytes = 0
  const knownOf = (session: string) => sessions.get(session)?.all ?? []
  const put = (session: string, all: KnownBody[], nowMs: number) => {
    for (const { body } of knownOf(session)) bytes -= body.length
    sessions.delete(session) // The last used stand last.
    if (all.length > 0) sessions.set(session, { all, usedMs: nowMs })
    for (const { body } of all) bytes += body.length
  }
  const forgetOld = (nowMs: number) => {
    for (const [oldest, { usedMs }] of sessions) {
      if (bytes <= allBytesMax && nowMs - usedMs < idleMsMax) return
      put(oldest, [], nowMs)
    }
  }
  return {
    find(session, body) {
      if (body.length < bodyBytesMin) return null
      let best: AlikeBody | null = null
      for (const known of knownOf(session)) {
        const common = commonStart(known.body, body)
        if (common >= (best?.bytes ?? bodyBytesMin / 2)) best = { known, bytes: common }
      }
      return best
    },
    keep(session, { call, body, trail }, alike) {
      if (body.length < bodyBytesMin || body.length > bodyBytesMax) return null
      const kept: KnownBody = { call, body, trail, segment: null }
      const others = knownOf(session).filter((one) => one !== alike?.known)
      const nowMs = performance.now()
      put(session, [...others.slice(1 - perSession), kept], nowMs)
      forgetOld(nowMs)
      return kept
    },
  }
}
