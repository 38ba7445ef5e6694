// A unified patch as lines with their numbers.

export type DiffLine = {
  kind: 'same' | 'added' | 'removed' | 'note'
  old: number | null
  new: number | null
  text: string
}
export type Hunk = { header: string; lines: DiffLine[] }

const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)$/

export function parsePatch(patch: string): Hunk[] {
  const hunks: Hunk[] = []
  let [oldAt, newAt] = [0, 0]
  for (const text of patch.replace(/\n$/, '').split('\n')) {
    const found = head.exec(text)
    if (found) {
      oldAt = Number(found[1])
      newAt = Number(found[2])
      hunks.push({ header: text, lines: [] })
      continue
    }
    const line = toDiffLine(text, oldAt, newAt)
    if (line.old !== null) oldAt += 1
    if (line.new !== null) newAt += 1
    hunks.at(-1)?.lines.push(line)
  }
  return hunks
}

function toDiffLine(text: string, oldAt: number, newAt: number): DiffLine {
  const rest = text.slice(1)
  if (text.startsWith('+')) return { kind: 'added', old: null, new: newAt, text: rest }
  if (text.startsWith('-')) return { kind: 'removed', old: oldAt, new: null, text: rest }
  if (text.startsWith('\\')) return { kind: 'note', old: null, new: null, text: rest.trim() }
  return { kind: 'same', old: oldAt, new: newAt, text: rest }
}

/** Lines that took each other's place: as many as there are on both sides of a change. */
export function pairLines(lines: readonly DiffLine[]): [number, number][] {
  const pairs: [number, number][] = []
  let at = 0
  while (at < lines.length) {
    if (lines[at]!.kind !== 'removed') {
      at += 1
      continue
    }
    const removed = runOf(lines, at, 'removed')
    const added = runOf(lines, at + removed, 'added')
    for (let step = 0; step < Math.min(removed, added); step += 1) {
      pairs.push([at + step, at + removed + step])
    }
    at += removed + added
  }
  return pairs
}

function runOf(lines: readonly DiffLine[], from: number, kind: DiffLine['kind']): number {
  let count = 0
  while (lines[from + count]?.kind === kind) count += 1
  return count
}
