// Anthropic Messages. https://docs.anthropic.com/en/api/messages
import { type Json, type Part, textOf, toJson, toList, toRole, toText } from './part.ts'

export const readMessages = (body: Json): Part[] => [
  ...systemOf(body.system),
  ...toList(body.messages).flatMap(partsOf),
]

// Claude Code's first block names its build and changes from call to call: it is no part of what is
// said.
const attribution = 'x-anthropic-billing-header:'

function systemOf(system: unknown): Part[] {
  if (typeof system === 'string') return [{ role: 'system', text: system }]
  const blocks = toList(system).filter(({ text }) => !toText(text).startsWith(attribution))
  return blocks.length > 0 ? [{ role: 'system', text: textOf(blocks) }] : []
}

const unsaid = ['thinking', 'redacted_thinking', 'tool_use', 'tool_result']

function partsOf({ role: named, content }: Json): Part[] {
  const role = toRole(named)
  if (typeof content === 'string') return [{ role, text: content }]
  const blocks = toList(content)
  const said = blocks.filter(({ type }) => !unsaid.includes(toText(type)))
  const words: Part = { role, text: textOf(said) }
  const used = blocks.flatMap(toolPart)
  // A tool's answers stand before what the person adds; a model speaks before it calls.
  return role === 'assistant' ? [words, ...used] : [...used, words]
}

function toolPart(block: Json): Part[] {
  if (block.type === 'tool_use') {
    const tool = { id: toText(block.id), name: toText(block.name) }
    return [{ role: 'assistant', text: JSON.stringify(toJson(block.input)), tool }]
  }
  if (block.type !== 'tool_result') return []
  const tool = { id: toText(block.tool_use_id), name: '' }
  return [{ role: 'tool', text: textOf(block.content), tool }]
}
