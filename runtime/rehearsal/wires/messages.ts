// Anthropic Messages: POST /v1/messages. https://docs.anthropic.com/en/api/messages
import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { asSchema } from '../json-schema.ts'
import type { Usage } from '../script.ts'
import {
  type Conversation,
  type Event,
  type Refusal,
  type Turn,
  textOf,
  toPieces,
  toRefusal,
  type Wire,
} from './wire.ts'

const Block = z.looseObject({
  type: z.string(),
  id: z.string().optional(),
  tool_use_id: z.string().optional(),
  content: z.unknown().optional(),
})
const Request = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().min(1),
  stream: z.boolean().default(false),
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['user', 'assistant', 'system']),
        content: z.union([z.string(), z.array(Block)]),
      }),
    )
    .min(1),
  tools: z
    .array(z.looseObject({ name: z.string(), input_schema: z.unknown().optional() }))
    .default([]),
  output_config: z
    .looseObject({ format: z.looseObject({ schema: z.unknown().optional() }).optional() })
    .optional(),
  metadata: z.looseObject({ user_id: z.string().nullish() }).optional(),
})

function parseRequest(body: unknown): Conversation | Refusal {
  const parsed = parse(Request, body)
  if (!parsed.ok) return toRefusal(parsed.problems)
  const { model, stream, messages, tools, output_config, metadata } = parsed.value
  const blocks = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  const schema = output_config?.format?.schema
  return {
    model,
    stream,
    wantsUsage: true,
    // A tool without a schema runs at the vendor: no client could answer its call.
    tools: tools
      .filter(({ input_schema }) => input_schema !== undefined)
      .map(({ name, input_schema }) => ({ name, parameters: asSchema(input_schema) })),
    calls: blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => id ?? ''),
    results: blocks
      .filter(({ type }) => type === 'tool_result')
      .map(({ tool_use_id, content }) => ({ call: tool_use_id ?? '', text: textOf(content) })),
    jsonSchema: schema === undefined ? undefined : asSchema(schema),
    session: metadata?.user_id ?? undefined,
  }
}

type Block =
  | { type: 'text'; text: string }
  | { type: 'tool_use'; id: string; name: string; input: object }

function toBlocks({ id, text, call }: Turn): Block[] {
  const blocks: Block[] = []
  if (text) blocks.push({ type: 'text', text })
  if (call) blocks.push({ type: 'tool_use', id: `toolu_${id}`, name: call.tool, input: call.args })
  return blocks
}

const toUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  input_tokens: inputTokens - cachedTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cachedTokens,
  output_tokens: outputTokens,
})

const toStopReason = ({ call }: Turn) => (call ? 'tool_use' : 'end_turn')

const toWhole = (turn: Turn) => ({
  id: `msg_${turn.id}`,
  type: 'message',
  role: 'assistant',
  model: turn.model,
  content: toBlocks(turn),
  stop_reason: toStopReason(turn),
  stop_sequence: null,
  usage: toUsage(turn.usage),
})

function toEvents(turn: Turn): Event[] {
  const usage = toUsage(turn.usage)
  const opened = { ...toWhole(turn), content: [], stop_reason: null }
  const delta = { stop_reason: toStopReason(turn), stop_sequence: null }
  return [
    event('message_start', { message: { ...opened, usage: { ...usage, output_tokens: 1 } } }),
    event('ping', {}),
    ...toBlocks(turn).flatMap(toBlockEvents),
    { ...event('message_delta', { delta, usage }), usage: true },
    event('message_stop', {}),
  ]
}

function toBlockEvents(block: Block, index: number): Event[] {
  const content_block = block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} }
  return [
    event('content_block_start', { index, content_block }),
    ...toDeltas(block).map((delta) => event('content_block_delta', { index, delta })),
    event('content_block_stop', { index }),
  ]
}

const toDeltas = (block: Block): object[] =>
  block.type === 'text'
    ? toPieces(block.text).map((text) => ({ type: 'text_delta', text }))
    : toPieces(JSON.stringify(block.input)).map((partial_json) => {
        return { type: 'input_json_delta', partial_json }
      })

const event = (type: string, data: object): Event => ({ name: type, data: { type, ...data } })

const failureTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

const toFailure = ({ status, type, message }: Refusal, id: string) => ({
  type: 'error',
  error: { type: type ?? failureTypes[status] ?? 'api_error', message },
  request_id: `req_${id}`,
})

export const messages: Wire = {
  name: 'messages',
  parse: parseRequest,
  toWhole,
  toEvents,
  toFailure,
}
