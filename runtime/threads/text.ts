// Text as PostgreSQL can hold it, and as its search wants it.

/** Without what PostgreSQL refuses (NUL) or UTF-8 can't say (half a surrogate pair). */
export const toStorable = (text: string) => text.replaceAll('\0', '\ufffd').toWellFormed()

/** The first `bytesMax` bytes at most, with a mark that says how many are missing. */
export function toBounded(text: string, bytesMax: number): string {
  const missing = Buffer.byteLength(text) - bytesMax
  return missing > 0 ? `${toStart(text, bytesMax)}\n[cut: ${missing} more bytes]` : text
}

export function toStart(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text // No UTF-16 unit takes more than 3 bytes.
  return Buffer.from(text)
    .subarray(0, bytesMax)
    .toString()
    .replace(/\ufffd$/, '')
}

// Scripts without spaces between words: each sign is taken for a word.
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu

/**
 * Words and spaces alone. What joins the parts of `kernel/units.ts` or `parse_duration` becomes a space,
 * so that each part is found, and the whole as a phrase of its parts.
 */
export const toWords = (text: string) =>
  text
    .normalize('NFC')
    .toLowerCase()
    .replace(unspaced, ' $& ')
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim()

/** What a person typed, for websearch_to_tsquery: "phrases", -exclusions and OR stay as they are. */
export function toQuery(typed: string): string {
  const terms = typed.match(/-?"[^"]*"?|\S+/g) ?? []
  return terms
    .map(toTerm)
    .filter((term) => term !== '')
    .join(' ')
}

function toTerm(term: string): string {
  const words = toWords(term)
  if (words === '') return ''
  const isPhrase = words.includes(' ') || /^-?"/.test(term)
  return (term.startsWith('-') ? '-' : '') + (isPhrase ? `"${words}"` : words)
}
