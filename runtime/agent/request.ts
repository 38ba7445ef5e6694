import type { Message } from './conversation.ts'
import type { ToolDefinition } from './tools/tool.ts'

const outputTokensMax = 16_000 // Enough for a whole file in one edit.
const cacheMark = { cache_control: { type: 'ephemeral' } }

export type RequestParts = {
  model: string
  system: string
  tools: readonly ToolDefinition[]
  messages: readonly Message[]
}

/** The body of a call. The mark on the last block lets the next call read this one from cache. */
export const toRequestBody = ({ model, system, tools, messages }: RequestParts): string =>
  JSON.stringify({
    model,
    max_tokens: outputTokensMax,
    stream: true,
    system: [{ type: 'text', text: system, ...cacheMark }],
    tools,
    messages: messages.with(-1, markLast(messages.at(-1)!)),
  })

function markLast({ role, content }: Message): Message {
  const last = { ...content.at(-1)!, ...cacheMark }
  return { role, content: content.with(-1, last) }
}
