// OpenAI chat completions, embeddings, and the many that speak it. A stream carries usage only when the request asked for
// it; the last report wins, for those that come with every chunk are totals so far. `prompt_tokens` holds the cached ones.
// https://platform.openai.com/docs/api-reference/chat/streaming
import type { Answer, ToolCall, WireReader } from './answer.ts'
import { readChatTier, readChatUsage } from './chat-usage.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'
import { readError } from './upstream-error.ts'

type State = {
  calls: Map<unknown, ToolCall | undefined>
  /** Choices that have begun and not said why they stopped. */
  open: Set<number>
  hasStopped: boolean
  hasOutput: boolean
}
const openMax = 10_000

// See messages.ts. What may stand before and after the text says nothing of it; a usage that is not null takes the long way.
const plainChunk =
  /^\{(?:"(?:id|object|created|model|service_tier|system_fingerprint|provider)": ?(?:"[^"\\\p{Cc}]*"|\d{1,15}|null), ?)*"choices": ?\[\{"index": ?0, ?"delta": ?\{(?:"role": ?"assistant", ?)?"(content|reasoning_content|reasoning)": ?"([^"\\\p{Cc}]*)"\}(?:, ?"(?:logprobs|finish_reason)": ?null)*\}\](?:, ?"usage": ?null|, ?"obfuscation": ?"[^"\\\p{Cc}]*")*\}$/u

export const chat: WireReader = {
  fast(answer, data) {
    const found = plainChunk.exec(data)
    if (!found) return false
    if (found[1] === 'content') answer.addText(found[2]!)
    else answer.outputChars += found[2]!.length
    const { open } = stateOf(answer)
    if (open.size === 0) open.add(0)
    answer.isUsageFinal = false // More came than what was counted.
    return true
  },

  event(answer, data) {
    const chunk = toRecord(data)
    readError(answer, chunk)
    const choices = toList(chunk.choices)
    for (const [at, one] of choices.entries()) readChoice(answer, toRecord(one), at)
    const first = toRecord(choices[0])
    // Some put it beside the choices, some into the first one, Groq into a part of its own.
    const reported = chunk.usage ?? first.usage ?? toRecord(chunk.x_groq).usage
    const state = stateOf(answer)
    const hasOutput = readChatUsage(answer, reported)
    state.hasOutput ||= hasOutput
    readExtras(answer, chunk)
    if (choices.length === 0 && !hasOutput) return
    // A report with every chunk is final only when all choices have stopped, or it stands alone at the end.
    const isClosed = state.hasStopped && state.open.size === 0
    answer.isUsageFinal = hasOutput && (isClosed || choices.length === 0)
  },

  done(answer) {
    answer.isUsageFinal ||= stateOf(answer).hasOutput
  },

  whole(answer, body) {
    const completion = toRecord(body)
    readError(answer, completion)
    for (const [at, one] of toList(completion.choices).entries()) {
      readMessage(answer, toRecord(one), at === 0)
    }
    readChatUsage(answer, completion.usage)
    readExtras(answer, completion)
    if (completion.choices === undefined)
      answer.output ??= answer.input === undefined ? undefined : 0 // Embeddings.
    answer.isUsageFinal = answer.output !== undefined
  },
}

function stateOf(answer: Answer): State {
  const state = answer.wireState as State | undefined
  if (state) return state
  const made = { calls: new Map(), open: new Set<number>(), hasStopped: false, hasOutput: false }
  answer.wireState = made
  return made
}

/** Of several choices the first is the answer; the others cost the same. */
function readChoice(answer: Answer, choice: Json, at: number): void {
  const index = toCount(choice.index) ?? at
  const delta = toRecord(choice.delta)
  const { open } = stateOf(answer)
  if (open.size < openMax) open.add(index)
  const text = toText(delta.content)
  if (index === 0) answer.addText(text)
  else answer.outputChars += text.length
  answer.outputChars += unsaidChars(delta)
  for (const piece of toList(delta.tool_calls)) readPiece(answer, toRecord(piece), index)
  const reason = toTextOrNull(choice.finish_reason)
  if (reason === null) return
  open.delete(index)
  stateOf(answer).hasStopped = true
  if (index === 0 || answer.stopReason === null) answer.stopReason = reason
}

/** What the model wrote that is no part of its answer's text. */
const unsaidChars = (message: Json) =>
  toText(message.reasoning_content ?? message.reasoning).length +
  toText(message.refusal).length +
  toText(toRecord(message.audio).transcript).length

/** A call's first piece has its id and name; the later ones have its index alone. */
function readPiece(answer: Answer, piece: Json, choice: number): void {
  const { calls } = stateOf(answer)
  const { name, input } = nameAndInput(piece)
  if (choice !== 0) {
    answer.outputChars += input.length
    return
  }
  const index = piece.index ?? 0
  if (!calls.has(index) && calls.size < openMax) {
    calls.set(index, answer.addToolCall(toText(piece.id), name))
  }
  answer.addInput(calls.get(index), input)
}

function readMessage(answer: Answer, choice: Json, isFirst: boolean): void {
  const message = toRecord(choice.message)
  const text = toText(message.content)
  if (isFirst) {
    answer.addText(text)
    answer.stopReason = toTextOrNull(choice.finish_reason)
  } else answer.outputChars += text.length
  answer.outputChars += unsaidChars(message)
  for (const item of toList(message.tool_calls)) {
    const call = toRecord(item)
    const { name, input } = nameAndInput(call)
    if (isFirst) answer.addInput(answer.addToolCall(toText(call.id), name), input)
    else answer.outputChars += input.length
  }
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

/** Z.ai's own search says what it found beside the choices. */
function readExtras(answer: Answer, chunk: Json): void {
  readChatTier(answer, chunk.service_tier)
  if (toList(chunk.web_search).length > 0) answer.reportServerTool('web_search', 1)
}
