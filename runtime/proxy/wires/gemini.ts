// Gemini generateContent, streamed or whole: each piece of a stream has the shape of a whole answer. Usage is repeated, as
// the total so far. The prompt's tokens hold the cached ones; those of thoughts and of tools' prompts stand beside them.
// https://ai.google.dev/api/generate-content#UsageMetadata
import type { Answer, WireReader } from './answer.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'

type Parts = { prompt: number; tools: number; said: number; thought: number }
const parts = new WeakMap<Answer, Parts>()

function readPiece(answer: Answer, data: unknown): void {
  const piece = toRecord(data)
  if (piece.error) {
    answer.error = toTextOrNull(toRecord(piece.error).message) ?? 'error in the stream'
  }
  for (const [index, one] of toList(piece.candidates).entries()) {
    const candidate = toRecord(one)
    for (const part of toList(toRecord(candidate.content).parts)) {
      readPart(answer, toRecord(part), (toCount(candidate.index) ?? index) === 0)
    }
    answer.stopReason = toTextOrNull(candidate.finishReason) ?? answer.stopReason
  }
  // A prompt that is blocked gets no candidate at all.
  answer.stopReason = toTextOrNull(toRecord(piece.promptFeedback).blockReason) ?? answer.stopReason
  readUsage(answer, toRecord(piece.usageMetadata))
}

/** Of several candidates the first is the answer; the others cost the same. */
function readPart(answer: Answer, part: Json, isFirst: boolean): void {
  const text = toText(part.text)
  if (isFirst && part.thought !== true) answer.addText(text)
  else answer.outputChars += text.length
  answer.outputChars += toText(toRecord(part.executableCode).code).length
  if (part.functionCall === undefined) return
  const call = toRecord(part.functionCall)
  const input = JSON.stringify(toRecord(call.args))
  // An id is optional on this wire.
  if (isFirst) answer.addInput(answer.addToolCall(toText(call.id), toText(call.name)), input)
  else answer.outputChars += input.length
}

function readUsage(answer: Answer, usage: Json): void {
  const known = parts.get(answer) ?? { prompt: 0, tools: 0, said: 0, thought: 0 }
  const prompt = toCount(usage.promptTokenCount)
  if (prompt !== undefined) {
    known.prompt = prompt
    known.tools = toCount(usage.toolUsePromptTokenCount) ?? known.tools
    known.said = toCount(usage.candidatesTokenCount) ?? known.said
    known.thought = toCount(usage.thoughtsTokenCount) ?? known.thought
    parts.set(answer, known)
    answer.input = known.prompt + known.tools
    answer.cached = toCount(usage.cachedContentTokenCount) ?? answer.cached
    answer.output = known.said + known.thought
  }
  answer.isUsageFinal = answer.input !== undefined && answer.stopReason !== null
}

export const gemini: WireReader = { event: readPiece, whole: readPiece }
