// OpenAI Chat Completions. https://platform.openai.com/docs/api-reference/chat
import { type Json, type Part, textOf, toJson, toList, toRole, toText } from './part.ts'

export const readChat = (body: Json): Part[] => toList(body.messages).flatMap(partsOf)

function partsOf(message: Json): Part[] {
  const role = toRole(message.role)
  const text = textOf(message.content)
  if (role === 'tool') {
    const id = toText(message.tool_call_id)
    return [{ role, text, tool: { id, name: toText(message.name) } }]
  }
  return [{ role, text }, ...toList(message.tool_calls).map(callPart)]
}

/** A function has `arguments`, a free-form (custom) tool has `input`. */
function callPart(call: Json): Part {
  const named = toJson(call.function ?? call.custom)
  const tool = { id: toText(call.id), name: toText(named.name) }
  return { role: 'assistant', text: toText(named.arguments ?? named.input), tool }
}
