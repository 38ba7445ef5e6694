// What a server, an agent or a model wrote must not drive the terminal that shows it: no escape sequences
// (CWE-150), no text that reads in another order than it is (CVE-2021-42574).

const controls = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu

/** Control characters as visible escapes; new lines and tabs stay. */
export const toPrintable = (text: string) =>
  text.replaceAll('\r\n', '\n').replace(controls, toEscape)

/** Also on one line, so that a text can't pass for a line of ours. */
export const toOneLine = (text: string) => text.replaceAll('\n', '\\n')

const toEscape = (char: string) =>
  char < '\u0100' ? `\\x${hexOf(char, 2)}` : `\\u${hexOf(char, 4)}`

/** The same for every text within a value of JSON. */
export function toPrintableDeep<T>(value: T): T {
  if (typeof value === 'string') return toPrintable(value) as T
  if (Array.isArray(value)) return value.map(toPrintableDeep) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [toPrintable(key), toPrintableDeep(inner)]),
  ) as T
}

/** JSON whose text no terminal acts on: what JSON.stringify leaves as it is, is escaped as well. */
export const toJsonText = (value: unknown, indent?: number) =>
  JSON.stringify(value, undefined, indent).replace(controls, (char) => `\\u${hexOf(char, 4)}`)

const hexOf = (char: string, digits: number) =>
  char.charCodeAt(0).toString(16).padStart(digits, '0')
