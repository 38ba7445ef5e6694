// What the vendors' wires share: a request as the scripts see it, and the model's turn as a wire sends it.
import type { Wire as WireName } from '../../proxy/api.ts'
import type { Usage } from '../script.ts'
import type { Call, Tool } from '../tools.ts'

/** JSON Schema, as untrusted as the rest of a request: read it through `json-schema.ts`. */
export type JsonSchema = Readonly<Record<string, unknown>>

export type Conversation = {
  model: string
  stream: boolean
  /** Whether a stream shall tell its usage: chat leaves it out unless asked. */
  wantsUsage: boolean
  tools: readonly Tool[]
  /** The ids of the tool calls shown. */
  calls: readonly string[]
  results: readonly { call: string; text: string }[]
  /** Set where the answer must be JSON of this schema. */
  jsonSchema: JsonSchema | undefined
  /** What the client calls its session in the body. */
  session: string | undefined
}

export type Turn = {
  /** Unique; each wire makes its own ids from it. */
  id: string
  model: string
  at: Date
  text: string | undefined
  call: Call | undefined
  usage: Usage
}

/** `usage` marks the event without which a client cannot know what the call cost. */
export type Event = { name?: string; data: unknown; usage?: true }

export type Refusal = { status: number; message: string; type?: string; code?: string }

export type Wire = {
  name: WireName
  parse(body: unknown, path: string): Conversation | Refusal
  /** The answer to a request that wants no stream. */
  toWhole(turn: Turn): object
  toEvents(turn: Turn, conversation: Conversation): Event[]
  toFailure(refusal: Refusal, id: string): object
}

/** What vendors take for a text: a string, or parts with texts among them. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (isTextPart(part) ? part.text : '')).join('\n')
}

const isTextPart = (part: unknown): part is { text: string } =>
  typeof part === 'object' && part !== null && typeof (part as { text?: unknown }).text === 'string'

const piece = /.{1,24}/gsu // About what one event of a real stream carries.

/** A text as a stream sends it, piece by piece. An empty text is one empty piece. */
export const toPieces = (text: string): string[] => text.match(piece) ?? ['']

/** A request that is not as the vendor documents it. */
export function toRefusal(problems: readonly { path: string; message: string }[]): Refusal {
  const [{ path, message } = { path: '(root)', message: 'Invalid.' }] = problems
  return { status: 400, message: `${path}: ${message}` }
}

/** Vendors refuse a result that answers no call, and a call that has no result. */
export function findUnpaired({ calls, results }: Conversation): Refusal | undefined {
  const answered = new Set(results.map(({ call }) => call))
  const stray = results.find(({ call }) => !calls.includes(call))?.call
  if (stray !== undefined) return { status: 400, message: `No tool call has the id ${stray}.` }
  const open = calls.find((call) => !answered.has(call))
  if (open === undefined) return undefined
  return { status: 400, message: `The tool call ${open} has no result.` }
}
