// Bytes of a terminal to names of keys: `j`, `up`, `enter`. What has no name here is dropped, and never taken for text.

export type Key = { name: string } | { name: 'paste'; text: string }

const named: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x1b': 'escape',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'ctrl-c',
  '\x0c': 'ctrl-l',
  '\x15': 'ctrl-u',
  ...Object.fromEntries(
    Object.entries({ A: 'up', B: 'down', C: 'right', D: 'left', H: 'home', F: 'end' }).flatMap(
      ([end, name]) => [
        [`\x1b[${end}`, name],
        [`\x1bO${end}`, name], // In the mode that some programs leave behind.
      ],
    ),
  ),
  '\x1b[1~': 'home',
  '\x1b[4~': 'end',
  '\x1b[5~': 'page-up',
  '\x1b[6~': 'page-down',
}

const pasteStart = '\x1b[200~'
const pasteEnd = '\x1b[201~'
const pasteCharsMax = 1_000 // It can only be a filter.
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys are what is looked for. ECMA-48 CSI, SS3, Alt and a key.
const sequence = /^\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^[O])/

/**
 * The keys in `bytes`, and what may be the beginning of one: to be given again with what comes next.
 * A lone Escape is such a beginning; the caller decides after a moment that it was the key.
 */
export function toKeys(bytes: string): { keys: Key[]; rest: string } {
  const keys: Key[] = []
  let rest = bytes
  while (rest !== '') {
    if (rest.startsWith(pasteStart)) {
      const end = rest.indexOf(pasteEnd)
      if (end < 0 && rest.length < pasteCharsMax) return { keys, rest }
      const text = rest.slice(pasteStart.length, end < 0 ? undefined : end).slice(0, pasteCharsMax)
      keys.push({ name: 'paste', text })
      rest = end < 0 ? '' : rest.slice(end + pasteEnd.length)
      continue
    }
    const taken = rest.startsWith('\x1b') ? sequence.exec(rest)?.[0] : [...rest][0]
    if (taken === undefined) return { keys, rest }
    rest = rest.slice(taken.length)
    const name = named[taken] ?? (/^[\P{C}]$/u.test(taken) ? taken : undefined)
    if (name !== undefined) keys.push({ name })
  }
  return { keys, rest: '' }
}
