// OpenAI chat completions. A stream carries usage only when the request asked for it; the last report wins.
// `prompt_tokens` holds the cached ones. https://platform.openai.com/docs/api-reference/chat/streaming
import type { Answer, ToolCall, WireReader } from './answer.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'

const open = new WeakMap<Answer, Map<unknown, ToolCall | undefined>>()
const openMax = 10_000

export const chat: WireReader = {
  event(answer, data) {
    const chunk = toRecord(data)
    readError(answer, chunk)
    const choice = toRecord(toList(chunk.choices)[0])
    const delta = toRecord(choice.delta)
    answer.addText(toText(delta.content))
    answer.outputChars += toText(delta.reasoning_content).length
    for (const piece of toList(delta.tool_calls)) readPiece(answer, toRecord(piece))
    answer.stopReason = toTextOrNull(choice.finish_reason) ?? answer.stopReason
    readUsage(answer, chunk.usage)
  },

  whole(answer, body) {
    const completion = toRecord(body)
    readError(answer, completion)
    const choice = toRecord(toList(completion.choices)[0])
    const message = toRecord(choice.message)
    answer.addText(toText(message.content))
    for (const item of toList(message.tool_calls)) {
      const call = toRecord(item)
      const { name, input } = nameAndInput(call)
      answer.addInput(answer.addToolCall(toText(call.id), name), input)
    }
    answer.stopReason = toTextOrNull(choice.finish_reason)
    readUsage(answer, completion.usage)
  },
}

function readError(answer: Answer, { error }: Json): void {
  if (error) answer.error = toTextOrNull(toRecord(error).message) ?? 'error in the stream'
}

/** A call's first piece has its id and name; the later ones have its index alone. */
function readPiece(answer: Answer, piece: Json): void {
  const calls = open.get(answer) ?? new Map<unknown, ToolCall | undefined>()
  open.set(answer, calls)
  const { name, input } = nameAndInput(piece)
  const index = piece.index ?? 0
  if (!calls.has(index) && calls.size < openMax) {
    calls.set(index, answer.addToolCall(toText(piece.id), name))
  }
  answer.addInput(calls.get(index), input)
}

/** A function has JSON arguments, a custom tool has free text. */
function nameAndInput(call: Json): { name: string; input: string } {
  const fn = toRecord(call.function)
  const custom = toRecord(call.custom)
  return {
    name: toText(fn.name ?? custom.name),
    input: toText(fn.arguments ?? custom.input),
  }
}

function readUsage(answer: Answer, reported: unknown): void {
  const usage = toRecord(reported)
  const output = toCount(usage.completion_tokens)
  const input = toCount(usage.prompt_tokens)
  if (input === undefined && output === undefined) return
  const details = toRecord(usage.prompt_tokens_details)
  answer.input = input ?? answer.input
  answer.output = output ?? answer.output
  answer.cached = toCount(details.cached_tokens) ?? answer.cached
  answer.cacheWrite = toCount(details.cache_write_tokens) ?? answer.cacheWrite
  answer.isUsageFinal = answer.output !== undefined
}
