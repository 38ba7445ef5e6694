// What the tests of the readers share: events as the vendors send them, and bytes cut anywhere.
import type { CallUsage, Wire } from '../api.ts'
import type { Answer } from './answer.ts'
import { AnswerReader } from './reader.ts'

export const sse = (events: unknown[], end = '\n') =>
  events
    .map(
      (event) =>
        `event: x${end}data: ${typeof event === 'string' ? event : JSON.stringify(event)}${end}${end}`,
    )
    .join('')

export const read = (
  wire: Wire,
  chunks: Buffer[],
  contentType = 'text/event-stream',
  contentEncoding?: string,
) =>
  new Promise<Answer>((onRead) => {
    const reader = new AnswerReader({ wire, contentType, contentEncoding, onRead })
    for (const chunk of chunks) reader.push(chunk)
    reader.end()
  })

export const pieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )

export const toFacts = (answer: Answer) => {
  const { text, toolCalls, stopReason, error, isUsageFinal } = answer
  return { usage: answer.usage(), text, toolCalls, stopReason, error, isUsageFinal }
}

export const start = (usage: object) => ({
  type: 'message_start',
  message: { id: 'm', content: [], usage },
})
export const delta = (usage: object, stop_reason = 'end_turn') => ({
  type: 'message_delta',
  delta: { stop_reason },
  usage,
})
export const text = (words: string) => ({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: words },
})
export const tool = [
  {
    type: 'content_block_start',
    index: 1,
    content_block: { type: 'tool_use', id: 't1', name: 'bash', input: {} },
  },
  {
    type: 'content_block_delta',
    index: 1,
    delta: { type: 'input_json_delta', partial_json: '{"command":' },
  },
  {
    type: 'content_block_delta',
    index: 1,
    delta: { type: 'input_json_delta', partial_json: '"ls"}' },
  },
]
export const chunk = (more: object, choice: object = {}) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: {}, ...choice }],
  ...more,
})
export const closing = (type: string, more: object) => ({
  type: `response.${type}`,
  response: { id: 'r', ...more },
})
export const message = {
  type: 'message',
  id: 'i1',
  content: [{ type: 'output_text', text: 'héllo' }],
}
export const call = {
  type: 'function_call',
  id: 'i2',
  call_id: 'c1',
  name: 'exec',
  arguments: '{"cmd":"ls"}',
}
export const usage = (
  inputTokens: number,
  cachedTokens: number,
  cacheWriteTokens: number,
  outputTokens: number,
  more: Partial<CallUsage> = {},
): CallUsage => ({
  inputTokens,
  cachedTokens,
  cacheWriteTokens,
  cacheWrite1hTokens: 0,
  outputTokens,
  reasoningTokens: 0,
  serverToolCalls: {},
  ...more,
})
export const bash = { id: 't1', name: 'bash', input: '{"command":"ls"}' }
