// The shapes of Anthropic's Messages wire that the agent speaks.
// https://docs.anthropic.com/en/api/messages

export type TextBlock = { type: 'text'; text: string }
export type ToolUseBlock = { type: 'tool_use'; id: string; name: string; input: object }
export type ToolResultBlock = {
  type: 'tool_result'
  tool_use_id: string
  content: string
  is_error?: true
}
/** What a model says besides text and tool calls (its thinking): sent back as it came. */
export type KeptBlock = { type: 'thinking' | 'redacted_thinking'; [key: string]: unknown }
export type Block = TextBlock | ToolUseBlock | ToolResultBlock | KeptBlock

export type Message = { role: 'user' | 'assistant'; content: Block[] }

export type Usage = { inputTokens: number; cachedTokens: number; outputTokens: number }
export const noUsage: Usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 }

/** `input` is absent where the model's JSON was no complete object. */
export type ToolCall = { id: string; name: string; input?: object }
export type Answer = { blocks: Block[]; calls: ToolCall[]; stopReason: string; usage: Usage }

/** What a tool hands back: `note` is for people, `text` for the model. */
export type ToolResult = { text: string; note: string; isError: boolean }
