// Where the scan of a body can be taken up again in a later one that begins with the same bytes, as a conversation's next call
// does: behind an element of its longest list, with what was known there. What it finds is what a scan from the start finds.
import type { Draft } from './keys.ts'

/** What was known behind an element. */
export type Boundary = {
  at: number
  isMarked: boolean
  isObscure: boolean
  /** Of items of Responses. */
  areWhole: boolean
  names: number
  serverTools: number
}
/** Of one list at the top of a body. */
export type Trail = {
  from: number
  isItems: boolean
  /** The last ones, in order. */
  boundaries: readonly Boundary[]
  /** What was read before the list, without its own tools once they are cut at a boundary. */
  draft: Omit<Draft, 'walk' | 'trail' | 'boundaries'>
}

const listBytesMin = 16 * 1024 // A shorter one is as soon scanned.
const boundariesMax = 16 // Agents change the end of what they said before: the mark of what is to be cached moves.

/** Notes that an element of the list that is walked ends at `at`. */
export function noteElement(draft: Draft, at: number, areWhole = true): void {
  const { walk, boundaries, tools } = draft
  if (boundaries.length >= 2 * boundariesMax) boundaries.splice(0, boundariesMax)
  const { isMarked, isObscure } = walk
  const [names, serverTools] = [tools.names.length, tools.server.length]
  boundaries.push({ at, isMarked, isObscure, areWhole, names, serverTools })
}

/** Notes a list that was walked to its end. The longest one of a body is kept. */
export function noteList(draft: Draft, from: number, to: number, isItems: boolean): void {
  const { boundaries, trail } = draft
  draft.boundaries = []
  const last = boundaries.at(-1)
  if (!last || to - from < listBytesMin) return
  if (trail && trail.boundaries.at(-1)!.at - trail.from > last.at - from) return
  draft.trail = { from, isItems, boundaries: boundaries.slice(-boundariesMax), draft: copy(draft) }
}

function copy({ walk: _, trail: _own, boundaries: _noted, ...draft }: Draft): Trail['draft'] {
  return {
    ...draft,
    seen: new Set(draft.seen),
    modelSpans: [...draft.modelSpans],
    texts: { ...draft.texts },
    flags: { ...draft.flags },
    tools: { names: [...draft.tools.names], server: [...draft.tools.server] },
  }
}

/**
 * The draft of a scan at the last boundary within the first `bytes` bytes; null = there is none.
 * @param fresh One for the body that begins alike.
 */
export function takeUp(
  { from, isItems, boundaries, draft: before }: Trail,
  bytes: number,
  fresh: Draft,
): { draft: Draft; from: number; boundary: Boundary; isItems: boolean } | null {
  const count = boundaries.findLastIndex(({ at }) => at <= bytes) + 1
  const boundary = boundaries[count - 1]
  if (!boundary) return null
  const { walk } = fresh
  walk.isMarked = boundary.isMarked
  walk.isObscure = boundary.isObscure
  const draft = {
    ...copy({ ...fresh, ...before }),
    walk,
    trail: null,
    boundaries: boundaries.slice(0, count),
  }
  draft.tools.names.length = boundary.names
  draft.tools.server.length = boundary.serverTools
  return { draft, from, boundary, isItems }
}
