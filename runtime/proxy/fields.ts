// Header lines, read strictly (RFC 9112 section 5): a token, a colon at once, a value on one line, CRLF. No folding, no bare
// line feed, no space before the colon. What is not so is not mended: two servers would mend it in two ways.

const tokenChars = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const toTable = (isIn: (code: number) => boolean) =>
  Uint8Array.from({ length: 256 }, (_, code) => Number(isIn(code)))

/** token = 1*tchar (RFC 9110 section 5.6.2). */
const isToken = toTable((code) => tokenChars.includes(String.fromCharCode(code)))
/** field-value: printable ASCII, blanks, and bytes above it, of which nobody asks what they mean. */
const isValue = toTable((code) => code === 0x09 || (code >= 0x20 && code !== 0x7f))

const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const colon = 0x3a

const isBlank = (code: number) => code === space || code === tab

/**
 * Reads the header lines of a head that ends in a blank line, from the first one's beginning on.
 * @param text Bytes as latin-1.
 * @returns Names and values in turn, or null where it is none.
 */
export function readFields(text: string, from: number): string[] | null {
  const fields: string[] = []
  let at = from
  for (;;) {
    let code = text.charCodeAt(at)
    if (code === carriageReturn) return at + 2 === text.length ? fields : null
    const nameAt = at
    while (isToken[code] === 1) code = text.charCodeAt(++at)
    if (at === nameAt || code !== colon) return null
    const name = text.slice(nameAt, at)
    code = text.charCodeAt(++at)
    while (isBlank(code)) code = text.charCodeAt(++at)
    const valueAt = at
    while (isValue[code] === 1) code = text.charCodeAt(++at)
    if (code !== carriageReturn || text.charCodeAt(at + 1) !== lineFeed) return null
    let valueEnd = at
    while (valueEnd > valueAt && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd -= 1
    fields.push(name, text.slice(valueAt, valueEnd))
    at += 2
  }
}

const digits = /^\d{1,15}$/ // Fifteen stay exact as a number.

/** A Content-Length's value: digits alone, no sign, no list. Null for anything else. */
export const readLength = (value: string): number | null =>
  digits.test(value) ? Number(value) : null

export const headEnd = Buffer.from('\r\n\r\n')
