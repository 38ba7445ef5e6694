// Anthropic Messages. `input_tokens` leaves the cached ones out; ours holds them. Counts in `message_delta` are totals so far,
// so they replace what `message_start` said, field by field. https://platform.claude.com/docs/en/build-with-claude/streaming
import type { ServerTool } from '../api.ts'
import type { Answer, ToolCall, WireReader } from './answer.ts'
import { type Json, toList, toRecord, toText, toTextOrNull } from './json.ts'
import { hasOutput, newParts, type Parts, readUsage } from './messages-usage.ts'
import { readError } from './upstream-error.ts'

type State = { parts: Parts; blocks: Map<unknown, ToolCall | undefined> }
const blocksMax = 10_000

// Nearly all events of an answer. What matches is JSON, and says nothing but its text: reading it as JSON would cost
// more than all else that is done with it. Text with an escape, or written in another way, takes the long way.
const plainDelta =
  /^\{"type": ?"content_block_delta", ?"index": ?\d{1,9}, ?"delta": ?\{"type": ?"text_delta", ?"text": ?"([^"\\\p{Cc}]*)" *\} *\}$/u

export const messages: WireReader = {
  fast(answer, data) {
    const text = plainDelta.exec(data)?.[1]
    if (text === undefined) return false
    answer.addText(text)
    return true
  },

  event(answer, data) {
    const event = toRecord(data)
    switch (event.type) {
      case 'message_start':
        return readUsage(answer, stateOf(answer).parts, toRecord(event.message).usage)
      case 'content_block_start':
        return startBlock(answer, event.index, toRecord(event.content_block))
      case 'content_block_delta':
        return readDelta(answer, event.index, toRecord(event.delta))
      case 'message_delta':
        answer.stopReason = toTextOrNull(toRecord(event.delta).stop_reason) ?? answer.stopReason
        readUsage(answer, stateOf(answer).parts, event.usage)
        answer.isUsageFinal ||= hasOutput(event.usage)
        return
      default:
        // Beside the `error` event: a compatible server's error has no type.
        return readError(answer, event)
    }
  },

  whole(answer, body) {
    const message = toRecord(body)
    answer.stopReason = toTextOrNull(message.stop_reason)
    readError(answer, message)
    for (const [index, block] of toList(message.content).entries()) {
      startBlock(answer, index, toRecord(block))
    }
    readUsage(answer, stateOf(answer).parts, message.usage)
    answer.isUsageFinal = hasOutput(message.usage)
  },
}

function stateOf(answer: Answer): State {
  const state = answer.wireState as State | undefined
  if (state) return state
  const made: State = { parts: newParts(), blocks: new Map() }
  answer.wireState = made
  return made
}

/** The vendor's own tools, by the names of their blocks. Usage counts searches and fetches; of the others the blocks are all. */
const toolNames: Readonly<Record<string, ServerTool>> = {
  web_search: 'web_search',
  web_fetch: 'web_fetch',
  code_execution: 'code_execution',
  bash_code_execution: 'code_execution',
  text_editor_code_execution: 'code_execution',
}

function startBlock(answer: Answer, index: unknown, block: Json): void {
  if (block.type === 'text') answer.addText(toText(block.text))
  else if (block.type === 'thinking') answer.outputChars += toText(block.thinking).length
  else if (block.type === 'compaction') answer.outputChars += toText(block.content).length
  if (block.type !== 'tool_use' && block.type !== 'server_tool_use') return
  const name = toText(block.name)
  const tool = block.type === 'server_tool_use' ? toolNames[name] : undefined
  if (tool) answer.seeServerTool(tool)
  const call = answer.addToolCall(toText(block.id), name)
  const { blocks } = stateOf(answer)
  if (blocks.size < blocksMax) blocks.set(index, call)
  // In a stream the input begins empty and comes in pieces; in a whole answer it stands here.
  const input = JSON.stringify(block.input ?? {})
  if (input !== '{}') answer.addInput(call, input)
}

function readDelta(answer: Answer, index: unknown, delta: Json): void {
  if (delta.type === 'text_delta') answer.addText(toText(delta.text))
  else if (delta.type === 'thinking_delta') answer.outputChars += toText(delta.thinking).length
  else if (delta.type === 'compaction_delta') answer.outputChars += toText(delta.content).length
  else if (delta.type === 'input_json_delta') {
    answer.addInput(stateOf(answer).blocks.get(index), toText(delta.partial_json))
  }
}
