// OpenAI Responses: POST /v1/responses. https://platform.openai.com/docs/api-reference/responses
import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { asSchema } from '../json-schema.ts'
import type { Usage } from '../script.ts'
import { toOpenaiFailure } from './openai.ts'
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

const Item = z.looseObject({
  type: z.string().default('message'),
  call_id: z.string().optional(),
  output: z.unknown().optional(),
})
const Request = z.looseObject({
  model: z.string().min(1),
  stream: z.boolean().nullish(),
  input: z.union([z.string(), z.array(Item).min(1)]),
  tools: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string().optional(),
        parameters: z.unknown().optional(),
      }),
    )
    .default([]),
  text: z
    .looseObject({ format: z.looseObject({ schema: z.unknown().optional() }).optional() })
    .nullish(),
  previous_response_id: z.null('Nothing is stored here: send the whole input.').optional(),
  prompt_cache_key: z.string().nullish(),
})

function parseRequest(body: unknown): Conversation | Refusal {
  const parsed = parse(Request, body)
  if (!parsed.ok) return toRefusal(parsed.problems)
  const { model, stream, input, tools, text, prompt_cache_key } = parsed.value
  const items = typeof input === 'string' ? [] : input
  const schema = text?.format?.schema
  return {
    model,
    stream: stream ?? false,
    wantsUsage: true,
    tools: tools
      .filter(({ type }) => type === 'function')
      .map(({ name, parameters }) => ({ name: name ?? '', parameters: asSchema(parameters) })),
    calls: items.filter(({ type }) => type === 'function_call').map(({ call_id }) => call_id ?? ''),
    results: items
      .filter(({ type }) => type === 'function_call_output')
      .map(({ call_id, output }) => ({ call: call_id ?? '', text: textOf(output) })),
    jsonSchema: schema === undefined ? undefined : asSchema(schema),
    session: prompt_cache_key ?? undefined,
  }
}

type Message = { type: 'message'; id: string; content: [{ type: 'output_text'; text: string }] }
type FunctionCall = { type: 'function_call'; id: string; name: string; arguments: string }
type Item = Message | FunctionCall

function toItems({ id, text, call }: Turn): Item[] {
  const items: Item[] = []
  const status = { status: 'completed' }
  if (text) {
    const part = { type: 'output_text' as const, text, annotations: [], logprobs: [] }
    const head = { type: 'message' as const, id: `msg_${id}`, ...status, role: 'assistant' }
    items.push({ ...head, content: [part] })
  }
  if (call) {
    const head = {
      type: 'function_call' as const,
      id: `fc_${id}`,
      ...status,
      call_id: `call_${id}`,
    }
    items.push({ ...head, name: call.tool, arguments: JSON.stringify(call.args) })
  }
  return items
}

const toUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  input_tokens: inputTokens,
  input_tokens_details: { cached_tokens: cachedTokens },
  output_tokens: outputTokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: inputTokens + outputTokens,
})

const toWhole = (turn: Turn) => ({
  id: `resp_${turn.id}`,
  object: 'response',
  created_at: Math.floor(turn.at.getTime() / 1000),
  status: 'completed',
  model: turn.model,
  output: toItems(turn),
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  tool_choice: 'auto',
  tools: [],
  usage: toUsage(turn.usage),
})

function toEvents(turn: Turn): Event[] {
  const response = { ...toWhole(turn), status: 'in_progress', output: [], usage: null }
  const events: [string, object][] = [
    ['response.created', { response }],
    ['response.in_progress', { response }],
    ...toItems(turn).flatMap(toItemEvents),
    ['response.completed', { response: toWhole(turn) }],
  ]
  return events.map(([type, data], sequence_number) => ({
    name: type,
    data: { type, sequence_number, ...data },
    ...(type === 'response.completed' && { usage: true }),
  }))
}

function toItemEvents(item: Item, output_index: number): [string, object][] {
  const at = { item_id: item.id, output_index }
  const empty = item.type === 'message' ? { content: [] } : { arguments: '' }
  const added = { ...item, status: 'in_progress', ...empty }
  return [
    ['response.output_item.added', { output_index, item: added }],
    ...(item.type === 'message' ? toTextEvents(item, at) : toArgumentEvents(item, at)),
    ['response.output_item.done', { output_index, item }],
  ]
}

function toTextEvents({ content: [part] }: Message, place: object): [string, object][] {
  const at = { ...place, content_index: 0 }
  const { text } = part
  return [
    ['response.content_part.added', { ...at, part: { ...part, text: '' } }],
    ...toPieces(text).map((delta): [string, object] => {
      return ['response.output_text.delta', { ...at, delta, logprobs: [] }]
    }),
    ['response.output_text.done', { ...at, text, logprobs: [] }],
    ['response.content_part.done', { ...at, part }],
  ]
}

const toArgumentEvents = (item: FunctionCall, at: object): [string, object][] => [
  ...toPieces(item.arguments).map((delta): [string, object] => {
    return ['response.function_call_arguments.delta', { ...at, delta }]
  }),
  ['response.function_call_arguments.done', { ...at, arguments: item.arguments }],
]

export const responses: Wire = {
  name: 'responses',
  parse: parseRequest,
  toWhole,
  toEvents,
  toFailure: toOpenaiFailure,
}
