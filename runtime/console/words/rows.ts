// Which rows of a long list are drawn. All rows have the same height, so it is arithmetic.

export type Window = { first: number; last: number }
const overscan = 8 // Rows drawn beyond what is seen, so that a fast scroll shows no gap.

/** Rows `first` to `last`, the latter not included. */
export function planRows(
  seen: { top: number; height: number },
  rowHeight: number,
  count: number,
): Window {
  const first = Math.max(0, Math.floor(seen.top / rowHeight) - overscan)
  const last = Math.min(count, Math.ceil((seen.top + seen.height) / rowHeight) + overscan)
  return { first: Math.min(first, last), last }
}

/** Where to scroll so that a row is wholly seen; the same place when it is already. */
export function toShow(
  row: number,
  seen: { top: number; height: number },
  rowHeight: number,
): number {
  const top = row * rowHeight
  if (top < seen.top) return top
  if (top + rowHeight > seen.top + seen.height) return top + rowHeight - seen.height
  return seen.top
}
