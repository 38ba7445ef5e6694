// Anthropic Messages. `input_tokens` leaves the cached ones out; ours holds them. Counts in `message_delta` are totals so far,
// so they replace what `message_start` said, field by field. https://platform.claude.com/docs/en/build-with-claude/streaming
import type { Answer, ToolCall, WireReader } from './answer.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'

type Parts = { plain: number; read: number; write: number }
type State = { parts: Parts; blocks: Map<unknown, ToolCall | undefined> }

/** Parts and open blocks stand apart from the answer: they mean something on this wire alone. */
const states = new WeakMap<Answer, State>()
const blocksMax = 10_000

// Nearly all events of an answer. What matches is JSON, and says nothing but its text: reading it as JSON would cost
// more than all else that is done with it. Text with an escape, or written in another way, takes the long way.
const plainDelta =
  /^\{"type": ?"content_block_delta", ?"index": ?\d{1,9}, ?"delta": ?\{"type": ?"text_delta", ?"text": ?"([^"\\\p{Cc}]*)" *\} *\}$/u

export const messages: WireReader = {
  plainText: (data) => plainDelta.exec(data)?.[1],

  event(answer, data) {
    const event = toRecord(data)
    switch (event.type) {
      case 'message_start':
        return readUsage(answer, toRecord(event.message).usage)
      case 'content_block_start':
        return startBlock(answer, event.index, toRecord(event.content_block))
      case 'content_block_delta':
        return readDelta(answer, event.index, toRecord(event.delta))
      case 'message_delta':
        answer.stopReason = toTextOrNull(toRecord(event.delta).stop_reason) ?? answer.stopReason
        readUsage(answer, event.usage)
        answer.isUsageFinal = answer.output !== undefined
        return
      case 'error':
        answer.error = toTextOrNull(toRecord(event.error).message) ?? 'error in the stream'
        return
    }
  },

  whole(answer, body) {
    const message = toRecord(body)
    answer.stopReason = toTextOrNull(message.stop_reason)
    if (message.error) answer.error = toTextOrNull(toRecord(message.error).message)
    for (const [index, block] of toList(message.content).entries()) {
      startBlock(answer, index, toRecord(block))
    }
    readUsage(answer, message.usage)
    answer.isUsageFinal = answer.output !== undefined
  },
}

function stateOf(answer: Answer): State {
  const known = states.get(answer)
  if (known) return known
  const state: State = { parts: { plain: 0, read: 0, write: 0 }, blocks: new Map() }
  states.set(answer, state)
  return state
}

function readUsage(answer: Answer, reported: unknown): void {
  const usage = toRecord(reported)
  const { parts } = stateOf(answer)
  parts.plain = toCount(usage.input_tokens) ?? parts.plain
  parts.read = toCount(usage.cache_read_input_tokens) ?? parts.read
  parts.write = toCount(usage.cache_creation_input_tokens) ?? sumOfSplit(usage) ?? parts.write
  answer.input = parts.plain + parts.read + parts.write
  answer.cached = parts.read
  answer.cacheWrite = parts.write
  answer.output = toCount(usage.output_tokens) ?? answer.output
}

/** Writes by how long they last. The total wins where both are given: the split of a start event is not final. */
function sumOfSplit(usage: Json): number | undefined {
  const split = toRecord(usage.cache_creation)
  const short = toCount(split.ephemeral_5m_input_tokens)
  const long = toCount(split.ephemeral_1h_input_tokens)
  return short === undefined && long === undefined ? undefined : (short ?? 0) + (long ?? 0)
}

function startBlock(answer: Answer, index: unknown, block: Json): void {
  if (block.type === 'text') answer.addText(toText(block.text))
  if (block.type !== 'tool_use' && block.type !== 'server_tool_use') return
  const call = answer.addToolCall(toText(block.id), toText(block.name))
  const { blocks } = stateOf(answer)
  if (blocks.size < blocksMax) blocks.set(index, call)
  // In a stream the input begins empty and comes in pieces; in a whole answer it stands here.
  const input = JSON.stringify(block.input ?? {})
  if (input !== '{}') answer.addInput(call, input)
}

function readDelta(answer: Answer, index: unknown, delta: Json): void {
  if (delta.type === 'text_delta') answer.addText(toText(delta.text))
  else if (delta.type === 'thinking_delta') answer.outputChars += toText(delta.thinking).length
  else if (delta.type === 'input_json_delta') {
    answer.addInput(stateOf(answer).blocks.get(index), toText(delta.partial_json))
  }
}
