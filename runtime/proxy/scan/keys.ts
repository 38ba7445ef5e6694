// The keys of each wire that mean something to the proxy, and how each is read.
import type { Wire } from '../api.ts'
import { walkItems } from './items.ts'
import { addName, type Tools, walkGeminiTools, walkTools } from './tools.ts'
import { type Boundary, noteList, type Trail } from './trail.ts'
import {
  invalid,
  openBrace,
  openBracket,
  quote,
  readPlain,
  readString,
  type Span,
  skipContent,
  skipValue,
  type Walk,
  walkArray,
  walkObject,
} from './walk.ts'

/** What was read so far. */
export type Draft = {
  readonly walk: Walk
  readonly named: string | null
  readonly seen: Set<string>
  model: string | null
  readonly modelSpans: Span[]
  readonly texts: Record<string, string>
  readonly flags: Record<string, boolean>
  choices: number
  /** Of all tools of the vendor's together. */
  usesMax: number | null
  outputMax: { tokens: number; span: Span; key: string } | null
  /** What may be thought of the answer; null = as the model will. */
  thinkingTokens: number | null
  /** A bound that is there, and null. */
  outputNull: Span | null
  /** Gemini's generation config: null = absent. */
  config: Span | null
  streamOptions: Span | null
  includeUsage: boolean | null
  usageSpan: Span | null
  readonly tools: Tools
  /** It stands on what the vendor keeps. */
  isStored: boolean
  trail: Trail | null
  /** Of the list that is being walked. */
  boundaries: Boundary[]
}

/** Reads the value at `at` and says where it ends. */
type Read = (draft: Draft, at: number, key: string) => number
/** `name` is one for all keys that mean the same. */
type Reader = { name: string; read: Read }

const modelCharsMax = 200
const textCharsMax = 512 // Vendors' own bounds of identifiers are 64 to 512.

const isNull = (body: Buffer, { from, to }: Span) =>
  to - from === 4 && body.toString('latin1', from, to) === 'null'

const model: Read = (draft, at) => {
  const { body } = draft.walk
  const span = { from: at, to: skipValue(draft.walk, at) }
  if (body[at] !== quote) throw invalid('`model` must be a string.')
  const said = readString(body, span)
  if (said.length === 0 || said.length > modelCharsMax) {
    throw invalid(`\`model\` must have 1 to ${modelCharsMax} characters.`)
  }
  const { named } = draft
  if (named !== null && said !== named && said !== `models/${named}`) {
    throw invalid('Its `model` is not the one of the path.')
  }
  draft.model = said
  draft.modelSpans.push(span)
  return span.to
}

const text: Read = (draft, at, key) => {
  const span = { from: at, to: skipValue(draft.walk, at) }
  const { body } = draft.walk
  if (body[at] === quote) draft.texts[key] = readString(body, span).slice(0, textCharsMax)
  else if (!isNull(body, span)) throw invalid(`\`${key}\` must be a string.`)
  return span.to
}

const flag: Read = (draft, at, key) => {
  const to = skipValue(draft.walk, at)
  const said = readFlag(draft.walk.body, { from: at, to }, key)
  if (said !== null) draft.flags[key] = said
  return to
}

function readFlag(body: Buffer, span: Span, key: string): boolean | null {
  if (isNull(body, span)) return null
  const said = readPlain(body, span)
  // Some servers take "true", 1 and "on" for true as well.
  if (said !== 'true' && said !== 'false') throw invalid(`\`${key}\` must be true or false.`)
  return said === 'true'
}

function readCount(body: Buffer, span: Span, key: string): number | null {
  if (isNull(body, span)) return null
  const said = readPlain(body, { from: span.from, to: Math.min(span.to, span.from + 20) })
  if (!/^(0|[1-9]\d{0,14})$/.test(said)) throw invalid(`\`${key}\` must be a whole number.`)
  return Number(said)
}

const outputMax: Read = (draft, at, key) => {
  const { walk } = draft
  const span = { from: at, to: skipValue(walk, at) }
  const tokens = readCount(walk.body, span, key)
  if (tokens === null) draft.outputNull = span
  else if (draft.outputMax) throw invalid(`It has both \`${draft.outputMax.key}\` and \`${key}\`.`)
  else draft.outputMax = { tokens, span, key }
  return span.to
}

const choices: Read = (draft, at, key) => {
  const span = { from: at, to: skipValue(draft.walk, at) }
  draft.choices = readCount(draft.walk.body, span, key) ?? 1
  return span.to
}

const usesMax: Read = (draft, at, key) => {
  const span = { from: at, to: skipValue(draft.walk, at) }
  draft.usesMax = readCount(draft.walk.body, span, key)
  return span.to
}

/** Null, or what the vendor keeps: by its id, or an object that has one. */
const stored: Read = (draft, at, key) => {
  const { walk } = draft
  if (walk.body[at] === openBrace) {
    draft.isStored = true
    return readMember(draft, at, { id: (inner, value) => text(inner, value, key) })
  }
  const to = text(draft, at, key)
  if (draft.texts[key] !== undefined) draft.isStored = true
  return to
}

/** Members of an object that are read; what else is in it is skipped. None of them stands twice. */
function readMember(draft: Draft, from: number, readers: Readonly<Record<string, Read>>): number {
  const { walk } = draft
  const seen = new Set<string>()
  return walkObject(walk, from, (key, at) => {
    const name = readString(walk.body, key)
    const plain = toPlain(name)
    const wanted = Object.keys(readers).find((reader) => toPlain(reader) === plain)
    if (wanted === undefined) return skipContent(walk, at)
    if (seen.has(wanted) || (wanted !== name && !isSnake(wanted, name))) {
      throw invalid(`It has more than one \`${wanted}\`.`)
    }
    seen.add(wanted)
    return readers[wanted]!(draft, at, name)
  })
}

const toPlain = (name: string) => name.replaceAll('_', '').toUpperCase().toLowerCase()
const isSnake = (camel: string, name: string) =>
  camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) === name

const inside =
  (readers: Readonly<Record<string, Read>>, onSpan: (draft: Draft, span: Span) => void): Read =>
  (draft, at, key) => {
    const { body } = draft.walk
    const isObject = body[at] === openBrace
    const to = isObject ? readMember(draft, at, readers) : skipValue(draft.walk, at)
    const span = { from: at, to }
    if (!isObject && !isNull(body, span)) throw invalid(`\`${key}\` must be an object.`)
    onSpan(draft, span)
    return to
  }

const streamOptions = inside(
  {
    include_usage: (draft, at, key) => {
      const to = skipValue(draft.walk, at)
      draft.usageSpan = { from: at, to }
      draft.includeUsage = readFlag(draft.walk.body, draft.usageSpan, key)
      return to
    },
  },
  (draft, span) => {
    draft.streamOptions = span
  },
)
const generationConfig = inside(
  { maxOutputTokens: outputMax, candidateCount: choices },
  (draft, span) => {
    draft.config = span
  },
)
const metadata = inside({ user_id: text }, () => {})

/** What is no such object, or no number, is the vendor's to refuse. */
const thinking: Read = (draft, at) =>
  draft.walk.body[at] === openBrace
    ? readMember(draft, at, { budget_tokens: thinkingTokens })
    : skipValue(draft.walk, at)
const thinkingTokens: Read = (draft, at) => {
  const to = skipValue(draft.walk, at)
  const said = readPlain(draft.walk.body, { from: at, to: Math.min(to, at + 20) })
  if (/^[1-9]\d{0,9}$/.test(said)) draft.thinkingTokens = Number(said)
  return to
}

const tools: Read = (draft, at) => walkTools(draft.walk, at, draft.tools)
const geminiTools: Read = (draft, at) => walkGeminiTools(draft.walk, at, draft.tools)

/** The tools of chat as they once were: names with their schemas, without a type. */
const functions: Read = (draft, at) => walkTools(draft.walk, at, draft.tools)

/** A tool of the vendor's that a key of its own switches on. */
const serverTool =
  (type: string): Read =>
  (draft, at) => {
    const { walk } = draft
    const to = skipValue(walk, at)
    if (isNull(walk.body, { from: at, to }) || isEmptyList(walk.body, at, to)) return to
    addName(draft.tools, type)
    draft.tools.server.push({ type, usesMax: null })
    return to
  }

const isEmptyList = (body: Buffer, from: number, to: number) =>
  body[from] === openBracket &&
  body.toString('latin1', from + 1, Math.min(to - 1, from + 99)).trim() === ''

/** The vendor may sum the conversation up in between, which is a call of its own. */
const contextManagement: Read = (draft, at) => {
  const { walk } = draft
  const to = skipValue(walk, at)
  if (walk.body.toString('utf8', at, to).toLowerCase().includes('compact')) draft.isStored = true
  return to
}

const items: Read = (draft, at) => readItems(draft, at, null)

/** @param boundary Where it goes on in a list that begins at `from`; null = at its start. */
export function readItems(draft: Draft, from: number, boundary: Boundary | null): number {
  const { to, areWhole } = walkItems(draft, from, boundary)
  noteList(draft, from, to, true)
  if (!areWhole) draft.isStored = true
  return to
}

/** The requests of a Gemini batch name the model too, and so does what is to be counted. */
const modelInside: Read = (draft, at) => {
  const { walk } = draft
  const one = (from: number) =>
    walk.body[from] === openBrace ? readMember(draft, from, { model }) : skipContent(walk, from)
  return walk.body[at] === openBracket ? walkArray(walk, at, one) : one(at)
}

const messagesKeys: Readonly<Record<string, Read>> = {
  model,
  stream: flag,
  max_tokens: outputMax,
  thinking,
  tools,
  mcp_servers: serverTool('mcp'),
  container: stored,
  context_management: contextManagement,
  metadata,
  service_tier: text,
  speed: text,
  inference_geo: text,
}
const chatKeys: Readonly<Record<string, Read>> = {
  model,
  stream: flag,
  stream_options: streamOptions,
  max_tokens: outputMax,
  max_completion_tokens: outputMax,
  n: choices,
  tools,
  functions,
  web_search_options: serverTool('web_search'),
  store: flag,
  service_tier: text,
  user: text,
  safety_identifier: text,
  prompt_cache_key: text,
}
const responsesKeys: Readonly<Record<string, Read>> = {
  model,
  stream: flag,
  max_output_tokens: outputMax,
  max_tool_calls: usesMax,
  tools,
  input: items,
  previous_response_id: stored,
  conversation: stored,
  prompt: stored,
  store: flag,
  background: flag,
  service_tier: text,
  user: text,
  safety_identifier: text,
  prompt_cache_key: text,
  context_management: contextManagement,
}
const geminiKeys: Readonly<Record<string, Read>> = {
  model,
  generationConfig,
  tools: geminiTools,
  cachedContent: stored,
  requests: modelInside,
  generateContentRequest: modelInside,
  serviceTier: text,
  store: flag,
}

const keysOf: Readonly<Record<Wire, Readonly<Record<string, Read>>>> = {
  messages: messagesKeys,
  chat: chatKeys,
  responses: responsesKeys,
  gemini: geminiKeys,
}

export const toFolded = (wire: Wire, name: string): string =>
  wire === 'gemini' ? toPlain(name) : name.toUpperCase().toLowerCase() // Go folds ſ to s, and so must we.

const toReaders = (wire: Wire): ReadonlyMap<string, Reader> =>
  new Map(
    Object.entries(keysOf[wire]).flatMap(([name, read]) => {
      const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      return [...new Set([name, snake])].map((key) => [key, { name, read }] as const)
    }),
  )
const toSpellings = (wire: Wire): ReadonlyMap<string, string> =>
  new Map(Object.keys(keysOf[wire]).map((name) => [toFolded(wire, name), name]))

export const readersOf: Readonly<Record<Wire, ReadonlyMap<string, Reader>>> = {
  messages: toReaders('messages'),
  chat: toReaders('chat'),
  responses: toReaders('responses'),
  gemini: toReaders('gemini'),
}
export const spellingsOf: Readonly<Record<Wire, ReadonlyMap<string, string>>> = {
  messages: toSpellings('messages'),
  chat: toSpellings('chat'),
  responses: toSpellings('responses'),
  gemini: toSpellings('gemini'),
}
