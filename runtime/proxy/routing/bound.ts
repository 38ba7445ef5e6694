// Whether a body belongs to one credential, or can't be sent twice. Bodies are large: only native searches of the bytes.
// A key inside somebody's text has its quotes escaped, so `"signature"` is found as a key alone.
import type { Wire } from '../api.ts'

type Facts = { previousResponse: string | null }

/** Keys whose text is good at its maker alone: the vendor refuses it from another account, or another vendor does. */
const signed: Readonly<Record<Wire, readonly string[]>> = {
  messages: ['"signature"', '"redacted_thinking"'],
  chat: ['"thought_signature"', '"encrypted_content"', '"signature"'],
  responses: ['"encrypted_content"', '"item_reference"', '"conversation"'],
  gemini: ['"thoughtSignature"', '"thought_signature"', '"cachedContent"'],
}
const bare = new Set(['"redacted_thinking"', '"item_reference"']) // Values, not keys: nothing follows them.

/**
 * A conversation with thinking signatures, encrypted reasoning or content that is stored at the vendor: it fails rather
 * than moves. A tool's schema may have a property of such a name, but then no text follows it.
 */
export function isBound(body: Buffer, wire: Wire, { previousResponse }: Facts): boolean {
  return previousResponse !== null || signed[wire].some((key) => hasText(body, key))
}

/** Sent twice, these would do twice: a job that runs on, and a conversation that is written to. */
export function isReplayable(body: Buffer, wire: Wire, { previousResponse }: Facts): boolean {
  if (wire !== 'responses') return true
  if (previousResponse !== null || hasText(body, '"conversation"')) return false
  return !hasValue(body, '"background"', 'true')
}

const quote = 0x22
const colon = 0x3a
const openBrace = 0x7b

function hasText(body: Buffer, key: string): boolean {
  if (bare.has(key)) return body.includes(key, 0, 'latin1')
  const isObject = key === '"conversation"' // An id, or an object with one.
  return eachValue(body, key, (at) => {
    // An empty one signs nothing.
    const isText = body[at] === quote && body[at + 1] !== quote
    return isText || (isObject && body[at] === openBrace)
  })
}

const hasValue = (body: Buffer, key: string, value: string) =>
  eachValue(body, key, (at) => body.toString('latin1', at, at + value.length) === value)

function eachValue(body: Buffer, key: string, isIt: (at: number) => boolean): boolean {
  for (let at = body.indexOf(key, 0, 'latin1'); at >= 0; at = body.indexOf(key, at, 'latin1')) {
    at = skipSpace(body, at + key.length)
    if (body[at] !== colon) continue
    at = skipSpace(body, at + 1)
    if (isIt(at)) return true
  }
  return false
}

function skipSpace(body: Buffer, from: number): number {
  let at = from
  for (let byte = body[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; ) {
    at += 1
    byte = body[at]
  }
  return at
}
