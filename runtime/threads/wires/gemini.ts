// Gemini generateContent. https://ai.google.dev/api/caching#Content
import { type Json, type Part, toJson, toList, toText } from './part.ts'

export const readGemini = (body: Json): Part[] => [
  ...systemOf(toJson(body.systemInstruction ?? body.system_instruction)),
  ...toList(body.contents).flatMap(partsOf),
]

function systemOf(instruction: Json): Part[] {
  const text = textOf(toList(instruction.parts))
  return text === '' ? [] : [{ role: 'system', text }]
}

function partsOf(content: Json): Part[] {
  const role = content.role === 'model' ? 'assistant' : 'user'
  const parts = toList(content.parts)
  const isText = (part: Json) => typeof part.text === 'string' && part.thought !== true
  // Of what a model makes, the proxy hands in words and calls alone: more would be another conversation than its answer.
  const said = parts.filter(role === 'assistant' ? isText : (part) => !isOfTool(part))
  const words: Part = { role, text: textOf(said) }
  const used = parts.flatMap(toolPart)
  // A tool's answers stand before what the person adds; a model speaks before it calls.
  return role === 'assistant' ? [words, ...used] : [...used, words]
}

// Proto's JSON is read in both spellings by the vendor.
const callOf = (part: Json) => part.functionCall ?? part.function_call
const responseOf = (part: Json) => part.functionResponse ?? part.function_response
const isOfTool = (part: Json) => callOf(part) !== undefined || responseOf(part) !== undefined

function toolPart(part: Json): Part[] {
  if (callOf(part) !== undefined) {
    const { id, name, args } = toJson(callOf(part))
    const tool = { id: toText(id), name: toText(name) }
    return [{ role: 'assistant', text: JSON.stringify(toJson(args)), tool }]
  }
  if (responseOf(part) === undefined) return []
  const { id, name, response } = toJson(responseOf(part))
  return [{ role: 'tool', text: resultOf(response), tool: { id: toText(id), name: toText(name) } }]
}

/** A result is an object; its words stand in `output`, or in `error`, by the vendor's own advice. */
function resultOf(response: unknown): string {
  const { output, error } = toJson(response)
  const words = output ?? error
  return typeof words === 'string' ? words : JSON.stringify(response ?? '')
}

const textOf = (parts: readonly Json[]) => parts.map(textOfPart).join('\n')

/** What is no text shows as its kind, `[inlineData]`. */
function textOfPart(part: Json): string {
  if (typeof part.text === 'string') return part.text
  return `[${Object.keys(part).find((key) => key !== 'thoughtSignature') ?? 'unknown'}]`
}
