// Puts an answer together from the events of its stream. Events: message_start,
// content_block_start, _delta, _stop, message_delta, message_stop, error; others, such as ping,
// mean nothing here.
import type { Answer, Block, KeptBlock, ToolCall, ToolUseBlock, Usage } from './conversation.ts'

export class StreamError extends Error {
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

/** One JSON object of the wire; nothing about its fields is taken for granted. */
type Json = { [key: string]: unknown }
type Part = { block: Json; inputText: string }

export type AnswerBuilder = {
  /** Returns the text that this event added, to be shown as it comes. Throws `StreamError`. */
  take(data: string): string
  /** The whole answer, or undefined where the stream ended too early. */
  finish(): Answer | undefined
}

export function createAnswerBuilder(): AnswerBuilder {
  const parts = new Map<unknown, Part>()
  let usage: Json = {}
  let stopReason = ''
  let isWhole = false

  // Text comes out through `take`'s return alone; everything else is collected here.
  const byType: Readonly<Record<string, (event: Json) => string>> = {
    message_start: (event) => {
      usage = { ...usage, ...toJson(toJson(event.message).usage) }
      return ''
    },
    content_block_start: (event) => {
      const block = { ...toJson(event.content_block) }
      parts.set(event.index, { block, inputText: '' })
      return toText(block.text)
    },
    content_block_delta: (event) => {
      const part = parts.get(event.index)
      if (!part) throw new StreamError('api_error', 'A part of the answer came without its start.')
      return applyDelta(part, toJson(event.delta))
    },
    message_delta: (event) => {
      stopReason = toText(toJson(event.delta).stop_reason) || stopReason
      usage = { ...usage, ...toJson(event.usage) }
      return ''
    },
    message_stop: () => {
      isWhole = true
      return ''
    },
    error: (event) => {
      const error = toJson(event.error)
      throw new StreamError(toText(error.type), toText(error.message) || 'No reason given.')
    },
  }

  return {
    take(data) {
      const event = parseJson(data)
      const type = toText(event.type)
      return Object.hasOwn(byType, type) ? byType[type]!(event) : ''
    },
    finish() {
      if (!isWhole) return undefined
      const known = [...parts.values()].map(toBlock)
      return {
        blocks: known.flatMap(({ block }) => block ?? []),
        calls: known.flatMap(({ call }) => call ?? []),
        stopReason,
        usage: toUsage(usage),
      }
    },
  }
}

// A delta names its field by its type; what it adds is a piece of a string.
const fieldOf: Readonly<Record<string, string>> = {
  text_delta: 'text',
  thinking_delta: 'thinking',
  signature_delta: 'signature',
}

function applyDelta(part: Part, delta: Json): string {
  if (delta.type === 'input_json_delta') {
    part.inputText += toText(delta.partial_json)
    return ''
  }
  const field = fieldOf[toText(delta.type)]
  if (!field) return ''
  const added = toText(delta[field])
  part.block[field] = toText(part.block[field]) + added
  return field === 'text' ? added : ''
}

/** A block as it goes back to the model, and the call that it asks for. Others are left out. */
function toBlock({ block, inputText }: Part): { block?: Block; call?: ToolCall } {
  if (block.type === 'text') {
    // The wire refuses an empty text block in a request.
    return block.text ? { block: { type: 'text', text: toText(block.text) } } : {}
  }
  if (block.type === 'tool_use') {
    const call = toCall(block, inputText)
    const { id, name, input = {} } = call
    return { block: { type: 'tool_use', id, name, input } satisfies ToolUseBlock, call }
  }
  const isKept = block.type === 'thinking' || block.type === 'redacted_thinking'
  return isKept ? { block: block as KeptBlock } : {}
}

function toCall(block: Json, inputText: string): ToolCall {
  const named = { id: toText(block.id), name: toText(block.name) }
  const input = inputText === '' ? block.input : tryJson(inputText)
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input)
  return isObject ? { ...named, input } : named
}

const toUsage = (usage: Json): Usage => {
  const cached = toCount(usage.cache_read_input_tokens)
  const written = toCount(usage.cache_creation_input_tokens)
  return {
    inputTokens: toCount(usage.input_tokens) + cached + written,
    cachedTokens: cached,
    outputTokens: toCount(usage.output_tokens),
  }
}

function parseJson(text: string): Json {
  const value = tryJson(text)
  if (value === undefined) throw new StreamError('api_error', 'An event of the stream is no JSON.')
  return toJson(value)
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // The caller knows what broken JSON means at its place.
  }
}

const toJson = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {}
const toText = (value: unknown) => (typeof value === 'string' ? value : '')
const toCount = (value: unknown) => (typeof value === 'number' && value > 0 ? value : 0)
