// Walks over JSON bytes without making values of them: bodies are large and are forwarded as they are.
// What it skips it does not check: the upstream does that.
import { Refusal } from '../refusal.ts'
import type { Marks } from './marks.ts'

export type Span = { readonly from: number; readonly to: number }

/** One walk over one body. `isObscure`: a string hides a letter or digit behind an escape, which no serialiser does. */
export type Walk = {
  readonly body: Buffer
  readonly marks: Marks
  isObscure: boolean
  isMarked: boolean
  /** Of the list that is being skipped. */
  onElement: ((at: number) => void) | null
}

export const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
export const colon = 0x3a
export const openBrace = 0x7b
const closeBrace = 0x7d
export const openBracket = 0x5b
const closeBracket = 0x5d

export const invalid = (say: string) => new Refusal('body/invalid', say)

/** Calls `visit` with each key of the object at `from`, quotes included, and where its value begins; it says where that ends. */
export function walkObject(
  walk: Walk,
  from: number,
  visit: (key: Span, at: number) => number,
): number {
  if (walk.body[from] !== openBrace) throw invalid('It is no JSON.')
  return walkMembers(walk, skipSpace(walk.body, from + 1), visit)
}

/** The members of an object from `from` on, a key or the object's end. */
function walkMembers(walk: Walk, from: number, visit: (key: Span, at: number) => number): number {
  const { body } = walk
  let at = from
  while (body[at] !== closeBrace) {
    const key = { from: at, to: skipString(walk, at) }
    at = skipSpace(body, key.to)
    if (body[at] !== colon) throw invalid('It is no JSON.')
    at = toNext(body, visit(key, skipSpace(body, at + 1)), closeBrace)
  }
  return at + 1
}

/** The same, from behind the value of a member. */
export const walkOtherMembers = (
  walk: Walk,
  from: number,
  visit: (key: Span, at: number) => number,
): number => walkMembers(walk, toNext(walk.body, from, closeBrace), visit)

/** From behind a value to the next member or element, or to `close`. */
function toNext(body: Buffer, from: number, close: number): number {
  const at = skipSpace(body, from)
  if (body[at] === comma) return skipSpace(body, at + 1)
  if (body[at] !== close) throw invalid('It is no JSON.')
  return at
}

/** Calls `visit` with where each element of the array at `from` begins; it says where that ends. */
export function walkArray(walk: Walk, from: number, visit: (at: number) => number): number {
  return walkElements(walk, skipSpace(walk.body, from + 1), visit)
}

function walkElements(walk: Walk, from: number, visit: (at: number) => number): number {
  const { body } = walk
  let at = from
  while (body[at] !== closeBracket) at = toNext(body, visit(at), closeBracket)
  return at + 1
}

/** The same, from behind an element. */
export const walkOtherElements = (
  walk: Walk,
  from: number,
  visit: (at: number) => number,
): number => walkElements(walk, toNext(walk.body, from, closeBracket), visit)

/** The text of a string that stands at `span`, quotes included. */
export function readString(body: Buffer, { from, to }: Span): string {
  const raw = body.toString('utf8', from + 1, to - 1)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    throw invalid('It is no JSON.') // A wrong escape; the parser's own words add nothing.
  }
}

/** A word or a number as it stands there. */
export const readPlain = (body: Buffer, { from, to }: Span): string =>
  body.toString('latin1', from, to)

export function isKey({ body, isObscure }: Walk, key: Span, name: string): boolean {
  if (isObscure) return readString(body, key) === name
  if (key.to - key.from - 2 !== name.length) return false
  for (let i = 0; i < name.length; i += 1) {
    if (body[key.from + 1 + i] !== name.charCodeAt(i)) return false
  }
  return true
}

export function skipSpace(body: Buffer, at: number): number {
  let byte = body[at]
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = body[++at]
  return at
}

export function skipValue(walk: Walk, from: number): number {
  const { body } = walk
  const first = body[from]
  if (first === quote) return skipString(walk, from)
  if (first === openBrace || first === openBracket) return skipNested(walk, from)
  let at = from
  for (
    let byte = first;
    byte !== comma && byte !== closeBrace && byte !== closeBracket;
    byte = body[++at]
  ) {
    if (byte === undefined) throw invalid('It ends too early.')
    if (byte <= 0x20) break
  }
  if (at === from) throw invalid('It is no JSON.')
  return at
}

/** As `skipValue`, and sees whether a string in it is one of the marks. */
export function skipContent(walk: Walk, from: number): number {
  const first = walk.body[from]
  if (first === openBrace || first === openBracket) return skipNested(walk, from, walk.marks)
  return skipValue(walk, from)
}

/** The same of a list, or of what is left of it behind an element. `onElement` hears where objects and lists in it end. */
export function skipList(
  walk: Walk,
  from: number,
  depth: 0 | 1,
  onElement: (at: number) => void,
): number {
  walk.onElement = onElement
  const to = skipNested(walk, from, walk.marks, depth)
  walk.onElement = null
  return to
}

function skipNested(walk: Walk, from: number, marks: Marks | null = null, outside = 0): number {
  const { body } = walk
  let depth = outside
  for (let at = from; ; ) {
    const byte = body[at]
    if (byte === quote) {
      const to = skipString(walk, at)
      if (marks?.has(body, at, to)) walk.isMarked = true
      at = to
      continue
    }
    if (byte === undefined) throw invalid('It ends too early.')
    if (byte === openBrace || byte === openBracket) depth += 1
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1
      if (depth === 1) walk.onElement?.(at + 1)
    }
    at += 1
    if (depth === 0) return at
  }
}

const shortBytes = 64 // Up to here a loop is cheaper than a native search.
const denseBytes = 4_096 // The same once a native search found but an escaped quote: source code is full of them.

function skipString(walk: Walk, from: number): number {
  const { body } = walk
  if (body[from] !== quote) throw invalid('It is no JSON.')
  const end = Math.min(from + 1 + shortBytes, body.length)
  let escapes = 0
  let at = from + 1
  while (at < end) {
    const byte = body[at]
    if (byte === quote) break
    if (byte === backslash) escapes += 1
    at += byte === backslash ? 2 : 1
  }
  if (escapes > 0 && hidesLetter(body, from, at)) walk.isObscure = true
  return at < end ? at + 1 : skipLong(body, at)
}

function skipLong(body: Buffer, from: number): number {
  for (let at = from; ; ) {
    const found = body.indexOf(quote, at)
    if (found < 0) throw invalid('It ends too early.')
    if (!isEscaped(body, at, found)) return found + 1
    at = found + 1
    for (const end = Math.min(at + denseBytes, body.length); at < end; ) {
      const byte = body[at]
      if (byte === quote) return at + 1
      at += byte === backslash ? 2 : 1
    }
  }
}

/** Whether an odd number of backslashes stands before a quote. `from` itself is not escaped. */
function isEscaped(body: Buffer, from: number, found: number): boolean {
  let at = found
  while (at > from && body[at - 1] === backslash) at -= 1
  return (found - at) % 2 === 1
}

/**
 * Whether an escape \u stands for a letter, a digit or an underscore. The first 64 bytes of a string are enough: one that
 * has none there says 32 characters at least with them, and no name that is looked for is as long.
 */
function hidesLetter(body: Buffer, from: number, to: number): boolean {
  for (let at = from + 1; at < to; at += 1) {
    if (body[at] !== backslash) continue
    at += 1
    if (body[at] !== 0x75) continue
    const code = Number.parseInt(body.toString('latin1', at + 1, at + 5), 16)
    if (code < 0x80 && /\w/.test(String.fromCharCode(code))) return true
  }
  return false
}
