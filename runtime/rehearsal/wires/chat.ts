// OpenAI Chat Completions: POST /v1/chat/completions. https://platform.openai.com/docs/api-reference/chat
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

const Request = z.looseObject({
  model: z.string().min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['developer', 'system', 'user', 'assistant', 'tool']),
        content: z.unknown().optional(),
        tool_calls: z.array(z.looseObject({ id: z.string() })).nullish(),
        tool_call_id: z.string().optional(),
      }),
    )
    .min(1),
  tools: z
    .array(
      z.looseObject({
        function: z
          .looseObject({ name: z.string(), parameters: z.unknown().optional() })
          .optional(),
      }),
    )
    .default([]),
  response_format: z
    .looseObject({ json_schema: z.looseObject({ schema: z.unknown().optional() }).optional() })
    .optional(),
  prompt_cache_key: z.string().nullish(),
})

function parseRequest(body: unknown): Conversation | Refusal {
  const parsed = parse(Request, body)
  if (!parsed.ok) return toRefusal(parsed.problems)
  const request = parsed.value
  const schema = request.response_format?.json_schema?.schema
  return {
    model: request.model,
    stream: request.stream ?? false,
    wantsUsage: request.stream_options?.include_usage ?? false,
    tools: request.tools.flatMap(({ function: tool }) =>
      tool ? [{ name: tool.name, parameters: asSchema(tool.parameters) }] : [],
    ),
    calls: request.messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map(({ id }) => id)),
    results: request.messages
      .filter(({ role }) => role === 'tool')
      .map(({ tool_call_id, content }) => ({ call: tool_call_id ?? '', text: textOf(content) })),
    jsonSchema: schema === undefined ? undefined : asSchema(schema),
    session: request.prompt_cache_key ?? undefined,
  }
}

const toUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: cachedTokens },
})

const toToolCall = ({ id, call }: Turn, text: string) => ({
  id: `call_${id}`,
  type: 'function',
  function: { name: call?.tool, arguments: text },
})

const toArguments = ({ call }: Turn) => JSON.stringify(call?.args)
const toFinishReason = ({ call }: Turn) => (call ? 'tool_calls' : 'stop')

const toHead = (turn: Turn, object: string) => ({
  id: `chatcmpl-${turn.id}`,
  object,
  created: Math.floor(turn.at.getTime() / 1000),
  model: turn.model,
})

function toWhole(turn: Turn) {
  const calls = turn.call && { tool_calls: [toToolCall(turn, toArguments(turn))] }
  const message = { role: 'assistant', content: turn.text ?? null, refusal: null, ...calls }
  return {
    ...toHead(turn, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: toFinishReason(turn) }],
    usage: toUsage(turn.usage),
  }
}

function toEvents(turn: Turn, { wantsUsage }: Conversation): Event[] {
  const head = toHead(turn, 'chat.completion.chunk')
  const usage = wantsUsage ? { usage: null } : {}
  const chunk = (delta: object, finish_reason: string | null = null): Event => ({
    data: { ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...usage },
  })
  return [
    chunk({ role: 'assistant', content: '' }),
    ...(turn.text ? toPieces(turn.text).map((content) => chunk({ content })) : []),
    ...toCallDeltas(turn).map((call) => chunk({ tool_calls: [{ index: 0, ...call }] })),
    chunk({}, toFinishReason(turn)),
    ...(wantsUsage ? [toUsageEvent(head, turn)] : []),
    { data: '[DONE]' },
  ]
}

const toUsageEvent = (head: object, { usage }: Turn): Event => ({
  data: { ...head, choices: [], usage: toUsage(usage) },
  usage: true,
})

/** The call's id and name come first, its arguments after them in pieces. */
function toCallDeltas(turn: Turn): object[] {
  if (!turn.call) return []
  const pieces = toPieces(toArguments(turn)).map((text) => ({ function: { arguments: text } }))
  return [toToolCall(turn, ''), ...pieces]
}

export const chat: Wire = {
  name: 'chat',
  parse: parseRequest,
  toWhole,
  toEvents,
  toFailure: toOpenaiFailure,
}
