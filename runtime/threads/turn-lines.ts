// Reads turns as the proxy sends them (NewTurns in api.ts).

export const turnLinesType = 'application/x-treadle-turns'

const [newline, tab] = [0x0a, 0x09]

/** What the lines hold, of whatever shape; null for a line that is none. */
export function readTurnLines(body: Buffer): unknown[] {
  const turns: unknown[] = []
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(newline, at)
    turns.push(readTurnLine(body.subarray(at, end < 0 ? body.length : end)))
    at = end < 0 ? body.length : end + 1
  }
  return turns
}

function readTurnLine(line: Buffer): unknown {
  const at = line.indexOf(tab) // JSON has no bare tab.
  try {
    const head = JSON.parse(line.toString('utf8', 0, Math.max(0, at))) as object
    return { ...head, request: line.toString('utf8', at + 1) }
  } catch {
    return null
  }
}
