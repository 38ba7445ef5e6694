// A person's terminal, taken for another program's: keys as they are typed, and all as before at the end.
import type { Context } from './command.ts'

export type Size = { cols: number; rows: number }
type Hands = { onKeys(keys: Buffer): void; onSize(size: Size): void }

// Main screen, cursor, mouse, bracketed paste, focus, keypad, colours: what a full-screen program may have left behind.
const reset =
  '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?1l\x1b>\x1b[0m\r\n'

/** Disposing gives the terminal back. */
export function takeTerminal({ stdin, stdout }: Context, { onKeys, onSize }: Hands): Disposable {
  const onResize = () => {
    const size = sizeOf(stdout)
    if (size) onSize(size)
  }
  if (stdin.isTTY) stdin.setRawMode?.(true)
  stdin.on('data', onKeys)
  stdout.on('resize', onResize)
  return {
    [Symbol.dispose]() {
      stdin.off('data', onKeys)
      stdout.off('resize', onResize)
      if (stdin.isTTY) stdin.setRawMode?.(false)
      stdin.pause()
      if (stdout.isTTY) stdout.write(reset)
    },
  }
}

export function sizeOf({ columns: cols, rows }: Context['stdout']): Size | undefined {
  return cols && rows ? { cols, rows } : undefined
}
