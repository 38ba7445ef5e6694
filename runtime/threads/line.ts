// A turn as a line of messages, each with a hash of the whole line up to it. Two calls of one
// conversation then share hashes exactly as far as they say the same.
import { createHash } from 'node:crypto'
import type { Message, NewTurn } from './api.ts'
import { toBounded, toStart, toStorable, toWords } from './text.ts'
import { readChat } from './wires/chat.ts'
import { readGemini } from './wires/gemini.ts'
import { readMessages } from './wires/messages.ts'
import { type Part, toJson } from './wires/part.ts'
import { readResponses } from './wires/responses.ts'

export type Entry = Pick<Message, 'position' | 'role' | 'text' | 'tool'> & { chain: string }

const messagesMax = 10_000 // Of one line; a longer conversation is stored up to here.
const textBytesMax = 256 * 1024
const wordsBytesMax = 128 * 1024 // Twice over (stemmed and plain) it stays under tsvector's 1 MiB.
const nameBytesMax = 200

const readers = {
  messages: readMessages,
  chat: readChat,
  responses: readResponses,
  gemini: readGemini,
}

export type LineReader = (turn: NewTurn) => Entry[]

/** Knows the last lines it read, for the next call of a conversation says again what the one before said. */
export function createLineReader(): LineReader {
  const recent = createRecent()
  return (turn) => {
    const parts = [...partsOfRequest(turn), ...partsOfAnswer(turn.answer)]
    const said = joinSpoken(parts.map(toClean)).filter(({ text, tool }) => text !== '' || tool)
    return recent.toEntries(turn, withNames(said).slice(0, messagesMax))
  }
}

export const toLine: LineReader = (turn) => createLineReader()(turn)

/** A request that is no JSON has no parts: then the answer alone is stored. */
function partsOfRequest({ wire, request }: NewTurn): Part[] {
  try {
    return readers[wire](toJson(JSON.parse(request)))
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

const partsOfAnswer = ({ text, toolCalls }: NewTurn['answer']): Part[] => [
  { role: 'assistant', text },
  ...toolCalls.map(({ id, name, input }) => ({
    role: 'assistant' as const,
    text: input,
    tool: { id, name },
  })),
]

const toClean = ({ role, text, tool }: Part): Part => ({
  role,
  text: toStorable(text),
  ...(tool && { tool: { id: toName(tool.id), name: toName(tool.name) } }),
})

const toName = (text: string) => toStart(toStorable(text), nameBytesMax)

/**
 * A model's answer comes whole from the proxy, but back from the agent in pieces (blocks, items). So what an
 * assistant says in a row is one text, with its calls after it, wherever the pieces' borders are.
 */
function joinSpoken(parts: Part[]): Part[] {
  const joined: Part[] = []
  let run: Part[] = []
  const flush = () => {
    const texts = run.filter(({ tool }) => !tool).map(({ text }) => text)
    if (run.length > 0) joined.push({ role: 'assistant', text: texts.filter(Boolean).join('\n') })
    joined.push(...run.filter(({ tool }) => tool))
    run = []
  }
  for (const part of parts) {
    if (part.role === 'assistant') run.push(part)
    else {
      flush()
      joined.push(part)
    }
  }
  flush()
  return joined
}

/** A tool's answer carries its call's id alone on most wires; the name is the call's. */
function withNames(parts: Part[]): Part[] {
  const names = new Map<string, string>()
  return parts.map((part) => {
    if (!part.tool) return part
    const { id, name } = part.tool
    if (part.role === 'assistant') names.set(id, name)
    return { ...part, tool: { id, name: name || (names.get(id) ?? '') } }
  })
}

function toEntries({ org, session, wire }: NewTurn, parts: Part[], known: Entry[]): Entry[] {
  let chain = known.at(-1)?.chain ?? digest(org, session)
  const more = parts.slice(known.length).map((part, index): Entry => {
    chain = digest(chain, part.role, wire === 'gemini' ? identityWithoutId(part) : identityOf(part))
    const text = toBounded(part.text, textBytesMax)
    return { position: known.length + index, chain, role: part.role, text, tool: part.tool ?? null }
  })
  return [...known, ...more]
}

const linesMax = 64 // Sessions that call in turn; a machine runs fewer agents at once.
const lineCharsMax = 1024 * 1024
const recentCharsMax = 8 * 1024 * 1024

/** Comparing texts costs a hundredth of hashing them. */
function createRecent() {
  const lines = new Map<string, { parts: Part[]; entries: Entry[]; chars: number }>()
  let chars = 0
  const forget = (key: string) => {
    chars -= lines.get(key)?.chars ?? 0
    lines.delete(key)
  }
  return {
    toEntries(turn: NewTurn, parts: Part[]): Entry[] {
      const key = JSON.stringify([turn.org, turn.session, turn.wire])
      const before = lines.get(key)
      const changedAt = parts.findIndex((part, at) => !isSame(part, before?.parts[at]))
      const known = before?.entries.slice(0, changedAt < 0 ? parts.length : changedAt) ?? []
      const entries = toEntries(turn, parts, known)
      forget(key)
      const size = parts.reduce((sum, { text }) => sum + text.length, 0)
      if (size > lineCharsMax) return entries
      lines.set(key, { parts, entries, chars: size })
      chars += size
      for (const oldest of lines.keys()) {
        if (lines.size <= linesMax && chars <= recentCharsMax) break
        forget(oldest)
      }
      return entries
    },
  }
}

const isSame = (one: Part, other: Part | undefined) =>
  other !== undefined &&
  one.role === other.role &&
  one.tool?.id === other.tool?.id &&
  one.tool?.name === other.tool?.name &&
  one.text === other.text

/** What search sees of a message. */
export const wordsOf = ({ text }: Pick<Entry, 'text'>): string =>
  toStart(toWords(toStart(text, wordsBytesMax)), wordsBytesMax)

const systemCharsMax = 200

/**
 * By what a message is known again. Agents send the same thing with other white space, cut old results of tools,
 * and write the time into the system prompt: so a tool's call or answer counts by its id, a system prompt by its
 * start, and white space not at all.
 */
function identityOf({ role, text, tool }: Part): string {
  if (tool?.id) return `tool ${tool.id}`
  const solid = text.replace(/\s+/g, '')
  return role === 'system' ? solid.slice(0, systemCharsMax) : solid
}

/**
 * On Gemini's wire ids are optional: clients make their own where the model gave none, so a call of the answer comes back
 * under another id. A call is known by what it calls with what, and a result by its place behind its call.
 */
function identityWithoutId(part: Part): string {
  if (!part.tool) return identityOf(part)
  const { name } = part.tool
  return part.role === 'tool' ? `result ${name}` : `call ${name} ${part.text.replace(/\s+/g, '')}`
}

/** Each part's length goes in, so that no two lists of parts run together to the same bytes. */
function digest(...parts: string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64url').slice(0, 22) // 128 bits.
}

export const toSessionKey = ({ org, session }: NewTurn) => digest(org, session)

const titleCharsMax = 120

/** The first line that a person said. Gemini CLI says something before that, in a tag. */
export function toTitle(line: readonly Entry[]): string {
  const users = line.filter(({ role }) => role === 'user')
  const said = users.find(({ text }) => !/^\s*<[\w-]+>/.test(text)) ?? users[0] ?? line[0]
  const first = said?.text.split('\n').find((one) => one.trim() !== '') ?? ''
  const plain = first.replace(/\p{Cc}/gu, ' ').trim()
  return plain.length > titleCharsMax
    ? `${plain.slice(0, titleCharsMax - 1)}…`.toWellFormed()
    : plain
}
