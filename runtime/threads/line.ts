// A turn as a line of messages, each with a hash of the whole line up to it. Two calls of one
// conversation then share hashes exactly as far as they say the same.
import { createHash } from 'node:crypto'
import type { Message, NewTurn } from './api.ts'
import { toBounded, toStart, toStorable, toWords } from './text.ts'
import { readChat } from './wires/chat.ts'
import { readMessages } from './wires/messages.ts'
import { type Part, toJson } from './wires/part.ts'
import { readResponses } from './wires/responses.ts'

export type Entry = Pick<Message, 'position' | 'role' | 'text' | 'tool'> & {
  chain: string
  /** What search sees of it. */
  words: string
}

const messagesMax = 10_000 // Of one line; a longer conversation is stored up to here.
const textBytesMax = 256 * 1024
const wordsBytesMax = 128 * 1024 // Twice over (stemmed and plain) it stays under tsvector's 1 MiB.
const nameBytesMax = 200

const readers = { messages: readMessages, chat: readChat, responses: readResponses }

export function toLine(turn: NewTurn): Entry[] {
  const parts = [...partsOfRequest(turn), ...partsOfAnswer(turn.answer)]
  const said = joinSpoken(parts.map(toClean)).filter(({ text, tool }) => text !== '' || tool)
  return toEntries(turn, withNames(said).slice(0, messagesMax))
}

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

function toEntries({ org, session }: NewTurn, parts: Part[]): Entry[] {
  let chain = digest(org, session)
  return parts.map((part, position) => {
    chain = digest(chain, part.role, identityOf(part))
    return {
      position,
      chain,
      role: part.role,
      text: toBounded(part.text, textBytesMax),
      tool: part.tool ?? null,
      words: toStart(toWords(toStart(part.text, wordsBytesMax)), wordsBytesMax),
    }
  })
}

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

/** Each part's length goes in, so that no two lists of parts run together to the same bytes. */
function digest(...parts: string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64url').slice(0, 22) // 128 bits.
}

export const toSessionKey = ({ org, session }: NewTurn) => digest(org, session)

const titleCharsMax = 120

/** The first line that a person said. */
export function toTitle(line: readonly Entry[]): string {
  const said = line.find(({ role }) => role === 'user') ?? line[0]
  const first = said?.text.split('\n').find((one) => one.trim() !== '') ?? ''
  const plain = first.replace(/\p{Cc}/gu, ' ').trim()
  return plain.length > titleCharsMax
    ? `${plain.slice(0, titleCharsMax - 1)}…`.toWellFormed()
    : plain
}
