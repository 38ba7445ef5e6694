// OpenAI Responses. https://platform.openai.com/docs/api-reference/responses
import { type Json, type Part, textOf, toList, toRole, toText } from './part.ts'

export const readResponses = (body: Json): Part[] => [
  { role: 'system', text: toText(body.instructions) },
  ...(typeof body.input === 'string'
    ? [{ role: 'user' as const, text: body.input }]
    : toList(body.input).flatMap(partsOf)),
]

/** Reasoning, tool lists and items that only OpenAI's servers can read are no part of what is said. */
function partsOf(item: Json): Part[] {
  const type = toText(item.type)
  if (type === 'message' || (type === '' && item.role)) {
    return [{ role: toRole(item.role), text: textOf(item.content) }]
  }
  const id = toText(item.call_id)
  const name = toText(item.name)
  if (type === 'function_call' || type === 'custom_tool_call') {
    const text = toText(item.arguments ?? item.input)
    return [{ role: 'assistant', text, tool: { id, name } }]
  }
  if (type !== 'function_call_output' && type !== 'custom_tool_call_output') return []
  return [{ role: 'tool', text: outputOf(item.output), tool: { id, name } }]
}

const outputOf = (output: unknown) => textOf(Array.isArray(output) ? output : toText(output))
