// Finds `model` and `stream` in a request's body without parsing the rest: bodies are large and are forwarded as they are.
// Refuses what two parsers could read in two ways, for the upstream must see the model that was checked here.
import { Refusal } from './refusal.ts'

export type Peek = { model: string; stream: boolean }

const modelCharsMax = 200
const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * The top level of a JSON object. Nested values are skipped, not checked: the upstream does that.
 * @param named The model where the path names it: the body may then leave it out, and may not name another.
 */
export function peek(body: Buffer, named: string | null = null): Peek {
  let model: string | undefined
  let stream = false
  let at = skipSpace(body, 0)
  if (body[at] !== openBrace) throw invalid('It must be a JSON object.')
  at = skipSpace(body, at + 1)
  while (body[at] !== closeBrace) {
    const keyEnd = skipString(body, at)
    const key = readString(body, at, keyEnd)
    at = skipSpace(body, keyEnd)
    if (body[at] !== colon) throw invalid('It is no JSON.')
    const from = skipSpace(body, at + 1)
    at = skipValue(body, from)
    // Some parsers ignore case, so `Model` beside `model` is a second model.
    if (key.length === 5 && key.toLowerCase() === 'model') {
      if (model !== undefined || key !== 'model') throw invalid('It has more than one `model`.')
      model = readModel(body, from, at)
    } else if (key === 'stream') stream = body.toString('latin1', from, at) === 'true'
    at = skipSpace(body, at)
    if (body[at] === comma) at = skipSpace(body, at + 1)
    else if (body[at] !== closeBrace) throw invalid('It is no JSON.')
  }
  if (skipSpace(body, at + 1) !== body.length) throw invalid('Something follows the JSON object.')
  if (named !== null) assertSame(model, named)
  else if (model === undefined) throw invalid('It has no `model`.')
  return { model: named ?? model!, stream }
}

const invalid = (say: string) => new Refusal('body/invalid', say)

function assertSame(model: string | undefined, named: string): void {
  if (model === undefined || model === named || model === `models/${named}`) return
  throw invalid('Its `model` is not the one of the path.')
}

function readModel(body: Buffer, from: number, to: number): string {
  if (body[from] !== quote) throw invalid('`model` must be a string.')
  const model = readString(body, from, to)
  if (model.length === 0 || model.length > modelCharsMax) {
    throw invalid(`\`model\` must have 1 to ${modelCharsMax} characters.`)
  }
  return model
}

function readString(body: Buffer, from: number, to: number): string {
  const raw = body.toString('utf8', from + 1, to - 1)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    throw invalid('It is no JSON.') // A wrong escape; the parser's own words add nothing.
  }
}

function skipSpace(body: Buffer, at: number): number {
  let byte = body[at]
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = body[++at]
  return at
}

const shortBytes = 64 // Up to here a loop is cheaper than a native search.

function skipString(body: Buffer, from: number): number {
  if (body[from] !== quote) throw invalid('It is no JSON.')
  let at = from + 1
  for (;;) {
    for (const end = at + shortBytes; at < end; ) {
      const byte = body[at]
      if (byte === quote) return at + 1
      if (byte === undefined) throw invalid('It ends too early.')
      at += byte === backslash ? 2 : 1
    }
    const found = body.indexOf(quote, at)
    if (found < 0) throw invalid('It ends too early.')
    if (!isEscaped(body, at, found)) return found + 1
    at = found + 1
  }
}

/** Whether an odd number of backslashes stands before a quote. `from` itself is not escaped. */
function isEscaped(body: Buffer, from: number, found: number): boolean {
  let at = found
  while (at > from && body[at - 1] === backslash) at -= 1
  return (found - at) % 2 === 1
}

function skipValue(body: Buffer, from: number): number {
  const first = body[from]
  if (first === quote) return skipString(body, from)
  if (first === openBrace || first === openBracket) return skipNested(body, from)
  let at = from
  for (let byte = first; byte !== comma && byte !== closeBrace; byte = body[++at]) {
    if (byte === undefined) throw invalid('It ends too early.')
    if (byte <= 0x20) break
  }
  if (at === from) throw invalid('It is no JSON.')
  return at
}

function skipNested(body: Buffer, from: number): number {
  let depth = 0
  for (let at = from; ; ) {
    const byte = body[at]
    if (byte === quote) {
      at = skipString(body, at)
      continue
    }
    if (byte === undefined) throw invalid('It ends too early.')
    if (byte === openBrace || byte === openBracket) depth += 1
    else if (byte === closeBrace || byte === closeBracket) depth -= 1
    at += 1
    if (depth === 0) return at
  }
}
