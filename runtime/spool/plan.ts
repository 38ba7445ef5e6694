// A plan is a markdown file; its boxes are its items.
import type { PlanItem } from './api.ts'
import { toStorable } from './text.ts'

// `- [ ] x`, `* [x] y`, `1. [ ] z`, indented or quoted. Boxes in code fences count too: a fence must not hide work.
const box =
  /^[ \t]*(?:>[ \t]*)*(?:[-*+]|\d{1,9}[.)])[ \t]+\[([^\]\n]?)\](?=\s|$)(?:[ \t]+([^\n]*))?/gm
const itemsMax = 200 // What a person reads; all of them are counted.
const textCharsMax = 300

/** How many items are open. A plan that is gone, or has no box at all, counts as one open item. */
export function countOpenItems(plan: string | null): number {
  const marks = [...(plan ?? '').matchAll(box)].map(([, mark]) => mark)
  if (marks.length === 0) return 1
  return marks.filter((mark) => mark !== 'x' && mark !== 'X').length
}

/** The first items, as a person reads them. */
export const toPlanItems = (plan: string | null): PlanItem[] =>
  [...(plan ?? '').matchAll(box).take(itemsMax)].map(([, mark, text = '']) => ({
    text: toStorable(text.trim().slice(0, textCharsMax), textCharsMax),
    isDone: mark === 'x' || mark === 'X',
  }))
