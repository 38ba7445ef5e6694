// OpenAI Responses. Items come whole in `response.output_item.done`; deltas count only for an item that never got there.
// Usage stands in the closing event. https://platform.openai.com/docs/api-reference/responses-streaming
import type { Answer, WireReader } from './answer.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'

/** Text of items that are not done, by item; and whether any item was done. */
type State = { pending: Map<unknown, string>; items: number }
const states = new WeakMap<Answer, State>()
const pendingMax = 10_000

export const responses: WireReader = {
  event(answer, data) {
    const event = toRecord(data)
    switch (event.type) {
      case 'response.output_text.delta':
        return addPending(answer, event.item_id ?? event.output_index, toText(event.delta))
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
      case 'response.reasoning_summary_text.delta':
        answer.outputChars += toText(event.delta).length
        return
      case 'response.output_item.done':
        return readItem(answer, toRecord(event.item), event.output_index)
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        return readEnd(answer, toRecord(event.response))
      case 'error':
        answer.error = toTextOrNull(event.message) ?? toTextOrNull(toRecord(event.error).message)
        return
    }
  },

  whole(answer, body) {
    readEnd(answer, toRecord(body))
  },
}

function stateOf(answer: Answer): State {
  const known = states.get(answer)
  if (known) return known
  const state: State = { pending: new Map(), items: 0 }
  states.set(answer, state)
  return state
}

/** Kept apart until the item is done or the stream ends: the finished item holds the same text again. */
function addPending(answer: Answer, item: unknown, delta: string): void {
  const { pending } = stateOf(answer)
  if (pending.size < pendingMax || pending.has(item))
    pending.set(item, (pending.get(item) ?? '') + delta)
}

function readItem(answer: Answer, item: Json, index: unknown): void {
  const state = stateOf(answer)
  state.items += 1
  state.pending.delete(item.id)
  state.pending.delete(index)
  if (item.type === 'message') {
    for (const part of toList(item.content)) answer.addText(toText(toRecord(part).text))
  } else if (item.type === 'function_call' || item.type === 'custom_tool_call') {
    const call = answer.addToolCall(toText(item.call_id), toText(item.name))
    answer.addInput(call, toText(item.arguments ?? item.input))
  }
}

function readEnd(answer: Answer, response: Json): void {
  if (stateOf(answer).items === 0) {
    for (const item of toList(response.output)) readItem(answer, toRecord(item), undefined)
  }
  if (response.error) answer.error = toTextOrNull(toRecord(response.error).message)
  const reason = toTextOrNull(toRecord(response.incomplete_details).reason)
  answer.stopReason = reason ?? toTextOrNull(response.status)
  const usage = toRecord(response.usage)
  const details = toRecord(usage.input_tokens_details)
  answer.input = toCount(usage.input_tokens) ?? answer.input
  answer.output = toCount(usage.output_tokens) ?? answer.output
  answer.cached = toCount(details.cached_tokens) ?? answer.cached
  answer.cacheWrite = toCount(details.cache_write_tokens) ?? answer.cacheWrite
  answer.isUsageFinal = answer.output !== undefined
}

/** What deltas brought for items that were never done: a stream that was cut. */
export function takePending(answer: Answer): void {
  const { pending } = stateOf(answer)
  for (const text of pending.values()) answer.addText(text)
  pending.clear()
}
