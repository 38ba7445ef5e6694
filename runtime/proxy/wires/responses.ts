// OpenAI Responses. Items come whole in `response.output_item.done`; deltas count only for an item that never got there.
// Usage stands in the closing event. https://platform.openai.com/docs/api-reference/responses-streaming
import type { ServerTool } from '../api.ts'
import type { Answer, WireReader } from './answer.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'
import { toServiceTier } from './service-tier.ts'
import { readError } from './upstream-error.ts'

type State = {
  /** Text of items that are not done, by item. */
  pending: Map<unknown, string>
  pendingChars: number
  /** Items that are done. */
  items: number
  /** Containers that code ran in: each is charged once. */
  containers: Set<string>
}
const pendingMax = 10_000
const pendingCharsMax = 2 * 1024 * 1024 // As much text as an answer keeps.
const containersMax = 1_000

// See messages.ts. The keys may stand in another order, but no other key may stand there.
const plainDelta =
  /^\{"type": ?"response\.output_text\.delta"(?:, ?"(?:sequence_number|output_index|content_index)": ?\d{1,9}|, ?"logprobs": ?\[\])*, ?"item_id": ?"([^"\\\p{Cc}]+)"(?:, ?"(?:sequence_number|output_index|content_index)": ?\d{1,9}|, ?"logprobs": ?\[\])*, ?"delta": ?"([^"\\\p{Cc}]*)"(?:, ?"(?:sequence_number|output_index|content_index)": ?\d{1,9}|, ?"logprobs": ?\[\]|, ?"obfuscation": ?"[^"\\\p{Cc}]*")*\}$/u

export const responses: WireReader = {
  fast(answer, data) {
    const found = plainDelta.exec(data)
    if (!found) return false
    addPending(answer, found[1], found[2]!)
    return true
  },

  event(answer, data) {
    const event = toRecord(data)
    switch (event.type) {
      case 'response.output_text.delta':
        return addPending(answer, event.item_id ?? event.output_index, toText(event.delta))
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
      case 'response.refusal.delta':
        answer.outputChars += toText(event.delta).length
        return
      case 'response.output_item.done':
        return readItem(answer, toRecord(event.item), event.output_index)
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
        readStored(answer, toRecord(event.response))
        answer.isPending = toRecord(event.response).background === true
        return
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
        return readEnd(answer, toRecord(event.response))
      case 'error':
        return readError(answer, event.error ? event : { error: event })
      default:
        return readError(answer, event)
    }
  },

  whole(answer, body) {
    readEnd(answer, toRecord(body))
  },

  /** What deltas brought for items that were never done: a stream that was cut. */
  finish(answer) {
    const { pending } = stateOf(answer)
    for (const text of pending.values()) {
      answer.outputChars -= text.length // It was counted when it came.
      answer.addText(text)
    }
    pending.clear()
  },
}

/** It is kept unless it says that it is not. */
function readStored(answer: Answer, response: Json): void {
  if (response.store !== false) answer.storedId = toTextOrNull(response.id)
}

function stateOf(answer: Answer): State {
  const state = answer.wireState as State | undefined
  if (state) return state
  const made: State = { pending: new Map(), pendingChars: 0, items: 0, containers: new Set() }
  answer.wireState = made
  return made
}

/** Kept apart until the item is done or the stream ends: the finished item holds the same text again. */
function addPending(answer: Answer, item: unknown, delta: string): void {
  const state = stateOf(answer)
  const { pending } = state
  answer.outputChars += delta.length
  if (state.pendingChars + delta.length > pendingCharsMax) return
  const known = pending.get(item)
  if (known === undefined && pending.size >= pendingMax) return
  state.pendingChars += delta.length
  pending.set(item, known === undefined ? delta : known + delta)
}

function readItem(answer: Answer, item: Json, index: unknown): void {
  const state = stateOf(answer)
  state.items += 1
  for (const key of [item.id, index]) {
    const text = state.pending.get(key)
    if (text === undefined) continue
    state.pending.delete(key)
    state.pendingChars -= text.length
    answer.outputChars -= text.length // The item has it again.
  }
  if (item.type === 'message') {
    for (const part of toList(item.content)) answer.addText(toText(toRecord(part).text))
  } else if (item.type === 'function_call' || item.type === 'custom_tool_call') {
    const call = answer.addToolCall(toText(item.call_id), toText(item.name))
    answer.addInput(call, toText(item.arguments ?? item.input))
  } else seeTool(answer, item)
}

const tools: Readonly<Record<string, ServerTool>> = {
  file_search_call: 'file_search',
  image_generation_call: 'image_generation',
}

function seeTool(answer: Answer, item: Json): void {
  const type = toText(item.type)
  const tool = tools[type]
  if (tool) answer.seeServerTool(tool)
  else if (type === 'web_search_call') answer.seeServerTool(toSearch(item))
  else if (type === 'code_interpreter_call') seeContainer(answer, toText(item.container_id))
}

/** Opening a page that was found, or looking for words on it, costs its tokens alone. */
function toSearch(item: Json): ServerTool {
  const action = toRecord(item.action).type
  return action === undefined || action === 'search' ? 'web_search' : 'web_fetch'
}

/** A session is charged, not each use of it. */
function seeContainer(answer: Answer, id: string): void {
  const { containers } = stateOf(answer)
  if (containers.has(id) && id !== '') return
  if (containers.size < containersMax) containers.add(id)
  answer.seeServerTool('code_execution')
}

function readEnd(answer: Answer, response: Json): void {
  readStored(answer, response)
  const output = toList(response.output)
  if (stateOf(answer).items < output.length) readMissed(answer, output)
  readError(answer, response)
  const status = toTextOrNull(response.status)
  const reason = toTextOrNull(toRecord(response.incomplete_details).reason)
  answer.stopReason = reason ?? status
  answer.isPending = status === 'queued' || status === 'in_progress'
  answer.serviceTier = toServiceTier(response.service_tier) ?? answer.serviceTier
  readUsage(answer, toRecord(response.usage))
}

/** Of a stream that was taken up in its middle some items came, and the closing event has all. */
function readMissed(answer: Answer, output: readonly unknown[]): void {
  const state = stateOf(answer)
  if (state.items > 0) {
    answer.forgetServerTools()
    state.containers.clear()
    for (const item of output) seeTool(answer, toRecord(item))
    return
  }
  for (const [index, item] of output.entries()) readItem(answer, toRecord(item), index)
}

function readUsage(answer: Answer, usage: Json): void {
  const details = toRecord(usage.input_tokens_details)
  const said = toCount(usage.output_tokens)
  answer.input = toCount(usage.input_tokens) ?? answer.input
  answer.output = said ?? answer.output
  answer.cached = toCount(details.cached_tokens) ?? answer.cached
  answer.cacheWrite = toCount(details.cache_write_tokens) ?? answer.cacheWrite
  answer.reasoning =
    toCount(toRecord(usage.output_tokens_details).reasoning_tokens) ?? answer.reasoning
  answer.isUsageFinal = said !== undefined && !answer.isPending
}
