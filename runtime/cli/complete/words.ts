/**
 * The words of a command line as a shell would see them, up to its end; the last one is being typed, and may be empty.
 * Quotes and backslashes are taken off. Nothing is expanded: `$x` stays `$x`.
 */
export function toWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  let isEscaped = false
  for (const char of line) {
    if (isEscaped) {
      word = (word ?? '') + char
      isEscaped = false
    } else if (char === '\\' && quote !== "'") isEscaped = true
    else if (quote !== '' && char === quote) quote = ''
    else if (quote !== '') word += char
    else if (char === "'" || char === '"') {
      quote = char
      word ??= ''
    } else if (!/\s/.test(char)) word = (word ?? '') + char
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  return [...words, word ?? '']
}

/** What a shell that breaks words at `breaks` as well takes as typed already, such as `--kind=`. */
export function toSettled(word: string, breaks: string): string {
  const at = Math.max(
    ...[...breaks].filter((char) => /\S/.test(char)).map((char) => word.lastIndexOf(char)),
  )
  return word.slice(0, at + 1)
}
