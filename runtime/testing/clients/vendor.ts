// A model vendor in a few lines, on all wires: it checks the key, calls the first tool it is offered, and says hello after that. `plain` models
// call none. What the model's name ends in may be a fault: `-400` is always refused, `-busy` is overloaded once.
import type { ServerResponse } from 'node:http'
import { type Seen, vaultedKey } from '../../proxy/testing/stage.ts'

export const hello = 'hello from the vendor'
export const refusal = 'the vendor does not like this'
const args = { city: 'Bern' }
const usage = { input: 11, output: 7 }

type Call = { model: string; isStream: boolean; tool: string | null; asksUsage: boolean }
type Wire = {
  isHere: (path: string) => boolean
  call: (seen: Seen) => Call
  whole: (call: Call) => object
  events: (call: Call) => readonly object[]
  fault: (status: number) => object
}
type Body = {
  model: string
  stream?: boolean
  stream_options?: { include_usage?: boolean }
  messages?: { role: string; content: unknown }[]
  input?: { type?: string }[]
  contents?: object[]
  tools?: Record<string, unknown>[]
}
const bodyOf = (seen: Seen) => JSON.parse(seen.body.toString()) as Body
const busy = new Set<string>()

/** Until the tool's result is shown. */
const toolOf = (body: Body, name: (tool: Record<string, unknown>) => unknown): string | null => {
  if (body.model?.includes('plain')) return null
  const shown = JSON.stringify([body.messages, body.input, body.contents])
  if (/"tool_result"|"role":"tool"|_call_output"|"functionResponse"/.test(shown)) return null
  const named = body.tools?.map(name).find((one) => typeof one === 'string' && one !== '')
  return typeof named === 'string' ? named : null
}
const readCall = (seen: Seen, name: (tool: Record<string, unknown>) => unknown): Call => {
  const body = bodyOf(seen)
  return {
    model: body.model,
    isStream: body.stream === true,
    tool: toolOf(body, name),
    asksUsage: body.stream_options?.include_usage === true,
  }
}

const messages: Wire = {
  isHere: (path) => path.endsWith('/v1/messages'),
  call: (seen) => readCall(seen, (tool) => tool['name']),
  whole: ({ model, tool }) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model,
    content: [
      tool
        ? { type: 'tool_use', id: 'toolu_1', name: tool, input: args }
        : { type: 'text', text: hello },
    ],
    stop_reason: tool ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: usage.input, output_tokens: usage.output },
  }),
  events: (call) => {
    const { content, stop_reason, ...message } = messages.whole(call) as {
      content: [{ type: string; text?: string; input?: object }]
      stop_reason: string
    }
    const [{ text, input, ...block }] = content
    const delta = input
      ? { type: 'input_json_delta', partial_json: JSON.stringify(input) }
      : { type: 'text_delta', text }
    const start = input ? { ...block, input: {} } : { ...block, text: '' }
    return [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: start },
      { type: 'ping' },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason, stop_sequence: null },
        usage: { output_tokens: usage.output },
      },
      { type: 'message_stop' },
    ]
  },
  fault: (status) => {
    const busyOne = { type: 'overloaded_error', message: 'Overloaded' } // pi goes by the words.
    const error = status === 529 ? busyOne : { type: 'invalid_request_error', message: refusal }
    return { type: 'error', error }
  },
}

const chatUsage = { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: 18 }
const chat: Wire = {
  isHere: (path) => path.endsWith('/chat/completions'),
  call: (seen) => readCall(seen, (tool) => (tool['function'] as { name?: string })?.name),
  whole: ({ model, tool }) => ({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: tool ? null : hello,
          ...(tool && { tool_calls: [toChatCall(tool)] }),
        },
        finish_reason: tool ? 'tool_calls' : 'stop',
      },
    ],
    usage: chatUsage,
  }),
  events: ({ model, tool, asksUsage }) => {
    const chunk = (choices: object[], more: object = {}) => ({
      ...{ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices, ...more },
    })
    const delta = (part: object, finish_reason: string | null = null) =>
      chunk([{ index: 0, delta: part, finish_reason }])
    const said = tool ? { tool_calls: [{ index: 0, ...toChatCall(tool) }] } : { content: hello }
    const last = asksUsage ? [chunk([], { usage: chatUsage })] : []
    return [
      delta({ role: 'assistant', content: '' }),
      delta(said),
      delta({}, tool ? 'tool_calls' : 'stop'),
      ...last,
    ]
  },
  fault: () => ({
    error: { message: refusal, type: 'invalid_request_error', param: null, code: 'refused' },
  }),
}
const toChatCall = (name: string) => ({
  ...{ id: 'call_1', type: 'function', function: { name, arguments: JSON.stringify(args) } },
})

const responses: Wire = {
  isHere: (path) => path.endsWith('/v1/responses'),
  call: (seen) => readCall(seen, (tool) => (tool['type'] === 'function' ? tool['name'] : null)),
  whole: ({ model, tool }) => ({
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status: 'completed',
    model,
    output: [toItem(tool)],
    error: null,
    incomplete_details: null,
    usage: {
      input_tokens: usage.input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: usage.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 18,
    },
  }),
  events: (call) => {
    const whole = responses.whole(call)
    const item = toItem(call.tool)
    const at = { output_index: 0, item_id: item.id }
    const begun = { ...whole, status: 'in_progress', output: [], usage: null }
    const part = { type: 'output_text', text: hello, annotations: [] }
    const inner = call.tool
      ? [
          { type: 'response.function_call_arguments.delta', ...at, delta: JSON.stringify(args) },
          { type: 'response.function_call_arguments.done', ...at, arguments: JSON.stringify(args) },
        ]
      : [
          {
            type: 'response.content_part.added',
            ...at,
            content_index: 0,
            part: { ...part, text: '' },
          },
          { type: 'response.output_text.delta', ...at, content_index: 0, delta: hello },
          { type: 'response.output_text.done', ...at, content_index: 0, text: hello },
          { type: 'response.content_part.done', ...at, content_index: 0, part },
        ]
    const empty = call.tool ? { ...item, arguments: '' } : { ...item, content: [] }
    return [
      { type: 'response.created', response: begun },
      {
        type: 'response.output_item.added',
        output_index: 0,
        item: { ...empty, status: 'in_progress' },
      },
      ...inner,
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: whole },
    ].map((event, sequence_number) => ({ ...event, sequence_number }))
  },
  fault: chat.fault,
}
const toItem = (tool: string | null) =>
  tool
    ? {
        id: 'fc_1',
        type: 'function_call',
        status: 'completed',
        call_id: 'call_1',
        name: tool,
        arguments: JSON.stringify(args),
      }
    : {
        ...{ id: 'msg_1', type: 'message', status: 'completed', role: 'assistant' },
        content: [{ type: 'output_text', text: hello, annotations: [] }],
      }

type Declared = { functionDeclarations?: { name: string }[] }
const gemini: Wire = {
  isHere: (path) => /:(stream)?[gG]enerateContent$/.test(path),
  call: (seen) => ({
    model: /models\/([^:]+):/.exec(seen.url)![1]!,
    isStream: seen.url.includes('alt=sse'),
    tool: seen.url.includes('plain')
      ? null
      : toolOf(bodyOf(seen), (tool) => (tool as Declared).functionDeclarations?.[0]?.name),
    asksUsage: false,
  }),
  whole: ({ model, tool }) => ({
    candidates: [
      {
        index: 0,
        content: {
          role: 'model',
          parts: [tool ? { functionCall: { name: tool, args } } : { text: hello }],
        },
        finishReason: 'STOP',
      },
    ],
    usageMetadata: {
      promptTokenCount: usage.input,
      candidatesTokenCount: usage.output,
      totalTokenCount: 18,
    },
    modelVersion: model,
    responseId: 'r-1',
  }),
  events: (call) => [gemini.whole(call)],
  fault: (code) => ({ error: { code, message: refusal, status: 'INVALID_ARGUMENT' } }),
}

const wires = { messages, chat, responses, gemini }

/** What stands in for the vendor's server. */
export function answerAsVendor(seen: Seen, response: ServerResponse): void {
  const path = seen.url.split('?', 1)[0]!
  if (path.endsWith('/embeddings')) return void send(response, 200, embeddings)
  const found = Object.entries(wires).find(([, { isHere }]) => isHere(path))
  if (!found || !isKnown(seen)) return void send(response, 401, chat.fault(401))
  const [name, wire] = found
  const call = wire.call(seen)
  if (call.model.endsWith('-400')) return void send(response, 400, wire.fault(400))
  if (call.model.endsWith('-busy') && !busy.delete(call.model)) {
    busy.add(call.model)
    response.setHeader('retry-after-ms', '20') // As OpenAI says it as well; most libraries prefer it.
    response.setHeader('retry-after', '1')
    const status = name === 'messages' ? 529 : 503
    return void send(response, status, wire.fault(status))
  }
  if (!call.isStream) return void send(response, 200, wire.whole(call))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of wire.events(call)) {
    const { type } = event as { type?: string }
    response.write(`${type ? `event: ${type}\n` : ''}data: ${JSON.stringify(event)}\n\n`)
  }
  response.end(name === 'chat' ? 'data: [DONE]\n\n' : '')
}

const embeddings = {
  object: 'list',
  model: 'm',
  data: [
    {
      object: 'embedding',
      index: 0,
      embedding: Buffer.from(new Float32Array([0.5, 1]).buffer).toString('base64'),
    },
  ],
  usage: { prompt_tokens: 2, total_tokens: 2 },
}

const isKnown = ({ headers }: Seen) =>
  [
    headers['x-api-key'],
    headers['x-goog-api-key'],
    headers.authorization?.replace('Bearer ', ''),
  ].includes(vaultedKey)

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_1' })
  response.end(JSON.stringify(body))
}
