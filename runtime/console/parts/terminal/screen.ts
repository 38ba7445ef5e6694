// The screen itself: xterm.js, loaded when a terminal is first opened. What an agent writes is drawn and nothing else:
// no links, no titles, no clipboard, no pictures, no answer to questions while somebody only watches.
import '@xterm/xterm/css/xterm.css'
import { type ITheme, Terminal } from '@xterm/xterm'

export type Size = { cols: number; rows: number }
export type Screen = {
  write(data: Uint8Array | string): Promise<void>
  resize(size: Size): void
  /** The letters are made smaller, down to a limit, for all columns to be seen at that width. */
  fitLetters(widthPx: number): void
  /** As many columns as the width holds, in letters of their full size. */
  fitting(): Size | undefined
  reset(): void
  setTyping(isTyping: boolean): void
  setTheme(): void
  focus(): void
  /** All of its text, for whoever can't read a screen. */
  text(): string
  dispose(): void
}
export type ScreenOptions = { size: Size; onKeys?: (keys: string) => void }

const scrollbackLines = 10_000
const colsMin = 40
const letterPx = 12
const letterPxMin = 9 // Below it nobody reads; then the place scrolls sideways.
const silenced = [0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 52, 104, 110, 111, 112, 133, 633, 777, 1337] // OSC codes.

export function createScreen(place: HTMLElement, { size, onKeys }: ScreenOptions): Screen {
  const terminal = createTerminal(place, size)
  const letters = createLetters(place, terminal)
  if (onKeys) terminal.onData(onKeys)
  if (onKeys) terminal.onBinary(onKeys)
  return {
    write: (data) => new Promise((written) => terminal.write(data, written)),
    resize: ({ cols, rows }) => {
      if (terminal.cols !== cols || terminal.rows !== rows) terminal.resize(cols, rows)
      requestAnimationFrame(letters.fit)
    },
    fitLetters: letters.fitInto,
    fitting: letters.size,
    reset: () => terminal.reset(),
    setTyping(isTyping) {
      terminal.options.disableStdin = !isTyping
      terminal.options.cursorBlink = isTyping && !isStill()
      letters.fit()
    },
    setTheme: () => {
      terminal.options.theme = readTheme()
    },
    focus: () => terminal.focus(),
    text: () => readText(terminal),
    dispose: () => terminal.dispose(),
  }
}

const isWayOut = ({ key, shiftKey }: KeyboardEvent) => key === 'Escape' && shiftKey
const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches

function createTerminal(place: HTMLElement, size: Size): Terminal {
  const terminal = new Terminal({
    cols: size.cols,
    rows: size.rows,
    scrollback: scrollbackLines,
    disableStdin: true, // With it a terminal answers no questions either, such as where its cursor is.
    cursorBlink: false,
    cursorInactiveStyle: 'outline',
    fontSize: letterPx,
    lineHeight: 1.25,
    fontFamily: read('--font-code'),
    minimumContrastRatio: 4.5,
    linkHandler: { activate: () => {} },
    theme: readTheme(),
    logLevel: 'off',
  })
  for (const code of silenced) terminal.parser.registerOscHandler(code, () => true)
  // Whoever only watches goes on with Tab as anywhere; whoever types has one way out (WCAG 2.1.2).
  terminal.attachCustomKeyEventHandler(
    (event) => !terminal.options.disableStdin && !isWayOut(event),
  )
  terminal.open(place)
  return terminal
}

/** Letters of a size at which all columns are seen; for whoever types, columns as many as are seen in full size. */
function createLetters(place: HTMLElement, terminal: Terminal) {
  let widthPx = 0
  const drawnPx = () => place.querySelector<HTMLElement>('.xterm-screen')?.offsetWidth ?? 0
  const fit = () => {
    const drawn = drawnPx()
    if (drawn === 0 || widthPx === 0) return
    const wanted = ((terminal.options.fontSize ?? letterPx) * widthPx) / drawn
    const fitting = Math.max(letterPxMin, Math.min(letterPx, Math.floor(wanted * 4) / 4))
    terminal.options.fontSize = terminal.options.disableStdin ? fitting : letterPx
  }
  return {
    fit,
    fitInto(px: number) {
      widthPx = px
      fit()
    },
    size(): Size | undefined {
      const columnPx = drawnPx() / terminal.cols
      if (columnPx === 0 || widthPx === 0) return undefined
      return { cols: Math.max(colsMin, Math.floor(widthPx / columnPx)), rows: terminal.rows }
    },
  }
}

const read = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** The page's own colours, so that a terminal looks like part of it in both themes. */
function readTheme(): ITheme {
  const [text, quiet] = [read('--text-1'), read('--text-3')]
  const [red, green, yellow] = [read('--state-failed'), read('--state-done'), read('--state-stuck')]
  const [blue, magenta] = [read('--state-running'), read('--state-needs-review')]
  return {
    background: read('--surface-1'),
    foreground: text,
    cursor: read('--accent'),
    selectionBackground: read('--surface-3'),
    ...{ black: text, red, green, yellow, blue, magenta, cyan: blue, white: text },
    ...{ brightBlack: quiet, brightRed: red, brightGreen: green, brightYellow: yellow },
    ...{ brightBlue: blue, brightMagenta: magenta, brightCyan: blue, brightWhite: text },
  }
}

function readText({ buffer }: Terminal): string {
  const lines: string[] = []
  for (let at = 0; at < buffer.active.length; at += 1) {
    const line = buffer.active.getLine(at)
    const text = line?.translateToString(true) ?? ''
    if (line?.isWrapped && lines.length > 0) lines[lines.length - 1] += text
    else lines.push(text)
  }
  return lines.join('\n').trimEnd()
}
