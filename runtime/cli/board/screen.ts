// The terminal as a whole screen: taken, drawn line by line where something changed, and given back as it was found.
import type { Context } from '../command.ts'

export type Screen = {
  size(): { cols: number; rows: number }
  /** Draws what differs from the last time. Answers false where the terminal has not read that yet. */
  draw(lines: readonly string[]): boolean
  /** Draws everything the next time. */
  forget(): void
  take(): void
  isTaken(): boolean
  /** Gives the terminal back. More than once is as good as once. */
  leave(): void
}

// Alternate screen, its own cursor hidden, no wrapping at the edge, pasted text marked as such.
const taking = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[0m\x1b[2J'
const leaving = '\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l'
// A terminal that knows this shows all of it at once; others take no notice.
const together = ['\x1b[?2026h', '\x1b[?2026l'] as const

type Terminal = Pick<Context, 'stdin' | 'stdout'>

export function createScreen({ stdin, stdout }: Terminal): Screen {
  let drawn: readonly string[] = []
  let isTaken = false
  let isBehind = false
  const onDrain = () => {
    isBehind = false
  }
  const leave = () => {
    if (!isTaken) return
    isTaken = false
    process.off('exit', leave)
    stdout.off('drain', onDrain)
    stdin.setRawMode?.(false)
    stdout.write(leaving)
  }
  return {
    size: () => ({ cols: stdout.columns || 80, rows: stdout.rows || 24 }),
    forget() {
      drawn = []
    },
    take() {
      if (!isTaken) {
        process.on('exit', leave) // Also when this process dies of its own error.
        stdout.on('drain', onDrain)
      }
      isTaken = true
      isBehind = false
      drawn = []
      stdin.setRawMode?.(true)
      stdout.write(taking)
    },
    leave,
    isTaken: () => isTaken,
    draw(lines) {
      if (!isTaken || isBehind) return false
      const isWhole = drawn.length !== lines.length
      const changed = lines.flatMap((line, row) =>
        !isWhole && drawn[row] === line ? [] : [`\x1b[${row + 1};1H${line}\x1b[K`],
      )
      drawn = lines
      if (changed.length === 0) return true
      const cleared = isWhole ? '\x1b[2J' : ''
      isBehind = !stdout.write(together[0] + cleared + changed.join('') + together[1])
      return true
    },
  }
}
