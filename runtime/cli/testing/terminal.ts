// A terminal with a person's eyes: a program in a real PTY, and its screen as an emulator draws it.
import { spawn } from '@lydell/node-pty'
import xterm from '@xterm/headless'

export type TestTerminal = Disposable & {
  readonly pid: number
  /** Types keys. */
  type(keys: string): void
  resize(cols: number, rows: number): void
  /** The screen's rows as they stand, without blanks at their ends. */
  rows(): string[]
  text(): string
  /** Waits until the screen shows it, and answers the screen. */
  shows(what: RegExp | string, msMax?: number): Promise<string>
  lacks(what: RegExp | string, msMax?: number): Promise<string>
  /** Every byte that came, as text. */
  raw(): string
  bytes(): number
  /** Whether the alternate screen is up, and the cursor shown. */
  isAlternate(): boolean
  cell(row: number, col: number): { char: string; colour: number }
  readonly exit: Promise<number>
}

export type TerminalOptions = {
  cols?: number
  rows?: number
  cwd?: string
  env?: Record<string, string | undefined>
}

export function startTerminal(
  file: string,
  args: readonly string[],
  { cols = 80, rows = 24, cwd, env = {} }: TerminalOptions = {},
): TestTerminal {
  const kept = Object.entries({ ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env })
  const options = { cols, rows, cwd: cwd ?? process.cwd(), name: env['TERM'] ?? 'xterm-256color' }
  const known = Object.fromEntries(kept.filter(([, value]) => value !== undefined))
  const pty = spawn(file, [...args], { ...options, env: known as Record<string, string> })
  const screen = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 1_000 })
  let raw = ''
  const lookers = new Set<() => void>()
  pty.onData((part) => {
    raw += part
    screen.write(part, () => {
      for (const look of lookers) look()
    })
  })
  screen.onData((answer) => pty.write(answer)) // Shells ask the terminal what it is.
  const exit = new Promise<number>((ended) =>
    pty.onExit(({ exitCode }) => screen.write('', () => ended(exitCode))),
  )
  const readRows = () => {
    const { active } = screen.buffer
    return Array.from({ length: screen.rows }, (_, row) =>
      (active.getLine(active.viewportY + row)?.translateToString(true) ?? '').trimEnd(),
    )
  }
  const text = () => readRows().join('\n')
  const holds = (what: RegExp | string) =>
    typeof what === 'string' ? text().includes(what) : what.test(text())
  const until = (isTrue: () => boolean, title: string, msMax: number) =>
    new Promise<string>((seen, failed) => {
      const end = (act: () => void) => {
        lookers.delete(look)
        clearTimeout(timer)
        act()
      }
      const look = () => {
        if (isTrue()) end(() => seen(text()))
      }
      const why = () => new Error(`${title} within ${msMax} ms:\n${text()}`)
      const timer = setTimeout(() => end(() => failed(why())), msMax)
      lookers.add(look)
      look()
    })
  return {
    pid: pty.pid,
    type: (keys) => pty.write(keys),
    resize(newCols, newRows) {
      screen.resize(newCols, newRows)
      pty.resize(newCols, newRows)
    },
    rows: readRows,
    text,
    shows: (what, msMax = 15_000) => until(() => holds(what), `No ${what} on the screen`, msMax),
    lacks: (what, msMax = 15_000) =>
      until(() => !holds(what), `Still ${what} on the screen`, msMax),
    raw: () => raw,
    bytes: () => Buffer.byteLength(raw),
    isAlternate: () => screen.buffer.active.type === 'alternate',
    cell(row, col) {
      const { active } = screen.buffer
      const found = active.getLine(active.viewportY + row)?.getCell(col)
      return { char: found?.getChars() ?? '', colour: found?.getFgColor() ?? -1 }
    },
    exit,
    [Symbol.dispose]() {
      pty.kill('SIGKILL')
      screen.dispose()
    },
  }
}
