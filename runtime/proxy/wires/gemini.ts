// Gemini generateContent, streamed or whole: each piece of a stream has the shape of a whole answer. Usage is repeated, as
// the total so far. The prompt's tokens hold the cached ones; those of thoughts and of tools' prompts stand beside them.
// https://ai.google.dev/api/generate-content#UsageMetadata
import type { Answer, WireReader } from './answer.ts'
import { readEmbeddings, readGeminiUsage } from './gemini-usage.ts'
import { type Json, toCount, toList, toRecord, toText, toTextOrNull } from './json.ts'
import { readError } from './upstream-error.ts'

// A piece of text with the plainest of usages: see messages.ts. What it counts is taken from it here, for the last piece
// before a cut has what was said.
const plainPiece =
  /^\{"candidates": ?\[\{"content": ?\{"parts": ?\[\{"text": ?"([^"\\\p{Cc}]*)"\}\], ?"role": ?"model"\}, ?"index": ?0\}\], ?"usageMetadata": ?\{"promptTokenCount": ?(\d{1,9}), ?(?:"candidatesTokenCount": ?(\d{1,9}), ?)?"totalTokenCount": ?\d{1,9}(?:, ?"promptTokensDetails": ?\[\{"modality": ?"TEXT", ?"tokenCount": ?\d{1,9}\}\])?(?:, ?"thoughtsTokenCount": ?(\d{1,9}))?\}(?:, ?"(?:modelVersion|responseId)": ?"[^"\\\p{Cc}]*")*\}$/u

export const gemini: WireReader = {
  fast(answer, data) {
    const found = plainPiece.exec(data)
    if (!found || found[3] === undefined) return false
    answer.addText(found[1]!)
    const thought = found[4] === undefined ? undefined : Number(found[4])
    readGeminiUsage(answer, {
      promptTokenCount: Number(found[2]),
      candidatesTokenCount: Number(found[3]),
      thoughtsTokenCount: thought,
    })
    answer.isUsageFinal &&= answer.stopReason !== null
    return true
  },
  event: readPiece,
  whole: readPiece,
}

function readPiece(answer: Answer, data: unknown): void {
  const piece = toRecord(data)
  readError(answer, piece)
  let hasStopped = false
  for (const [index, one] of toList(piece.candidates).entries()) {
    const candidate = toRecord(one)
    const isFirst = (toCount(candidate.index) ?? index) === 0
    for (const part of toList(toRecord(candidate.content).parts)) {
      readPart(answer, toRecord(part), isFirst)
    }
    const reason = toTextOrNull(candidate.finishReason)
    hasStopped ||= reason !== null
    answer.stopReason = reason ?? answer.stopReason
    readGrounding(answer, candidate)
  }
  // A prompt that is blocked gets no candidate at all.
  const blocked = toTextOrNull(toRecord(piece.promptFeedback).blockReason)
  hasStopped ||= blocked !== null
  answer.stopReason = blocked ?? answer.stopReason
  const isCounted = readGeminiUsage(answer, toRecord(piece.usageMetadata))
  // What was counted before the end is not what it came to.
  if (isCounted) answer.isUsageFinal = answer.stopReason !== null
  else if (hasStopped) answer.isUsageFinal = false
  readEmbeddings(answer, piece)
}

/** Of several candidates the first is the answer; the others cost the same. */
function readPart(answer: Answer, part: Json, isFirst: boolean): void {
  const text = toText(part.text)
  if (isFirst && part.thought !== true) answer.addText(text)
  else answer.outputChars += text.length
  if (part.executableCode !== undefined) {
    answer.seeServerTool('code_execution')
    answer.outputChars += toText(toRecord(part.executableCode).code).length
  }
  if (part.functionCall === undefined) return
  const call = toRecord(part.functionCall)
  const input = JSON.stringify(toRecord(call.args))
  // An id is optional on this wire.
  if (isFirst) answer.addInput(answer.addToolCall(toText(call.id), toText(call.name)), input)
  else answer.outputChars += input.length
}

/** What was searched for. The last piece that has it has all of it. */
function readGrounding(answer: Answer, candidate: Json): void {
  if (candidate.groundingMetadata !== undefined) {
    const { webSearchQueries, groundingChunks } = toRecord(candidate.groundingMetadata)
    const queries = toList(webSearchQueries).length
    if (queries > 0) answer.reportServerTool('web_search', queries)
    const isMap = toList(groundingChunks).some((chunk) => toRecord(chunk).maps !== undefined)
    if (isMap) answer.reportServerTool('maps_search', 1)
  }
  if (candidate.urlContextMetadata !== undefined) {
    const pages = toList(toRecord(candidate.urlContextMetadata).urlMetadata).length
    if (pages > 0) answer.reportServerTool('web_fetch', pages)
  }
}
