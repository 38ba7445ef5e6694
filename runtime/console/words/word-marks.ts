// Which words of a line changed. Loaded when a diff is first shown.
import { diffWordsWithSpace } from 'diff'
import { type DiffLine, pairLines } from './diff-lines.ts'

export type Part = { text: string; isMarked: boolean }

const pairsMax = 200 // Of one hunk; beyond it the lines alone must do.
const lineCharsMax = 500 // Longer lines are data.
const editsMax = 60 // Two lines that differ in more places are two lines.
const sharedMin = 0.3 // Lines with less in common are not the same line any more.

/** Parts of the lines that changed within, by their place; the other lines have none. */
export function toWordMarks(lines: readonly DiffLine[]): Map<number, Part[]> {
  const marks = new Map<number, Part[]>()
  for (const [removed, added] of pairLines(lines).slice(0, pairsMax)) {
    const [before, after] = [lines[removed]!.text, lines[added]!.text]
    if (Math.max(before.length, after.length) > lineCharsMax) continue
    const changes = diffWordsWithSpace(before, after, { maxEditLength: editsMax })
    if (!changes) continue
    const shared = changes.filter((each) => !each.added && !each.removed)
    const sharedChars = shared.reduce((sum, { value }) => sum + value.trim().length, 0)
    if (sharedChars < sharedMin * Math.min(before.trim().length, after.trim().length)) continue
    const side = (kind: 'added' | 'removed', other: 'added' | 'removed') =>
      changes
        .filter((each) => !each[other])
        .map((each) => ({ text: each.value, isMarked: each[kind] }))
    marks.set(removed, side('removed', 'added'))
    marks.set(added, side('added', 'removed'))
  }
  return marks
}
