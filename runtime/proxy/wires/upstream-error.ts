// Errors inside an answer, in whichever shape: OpenAI's and Anthropic's `{error: {code, type, message}}`, Google's with its
// status, and Z.ai's `{code, msg}`, which comes with status 200 as well. https://docs.z.ai/api-reference/api-code
import type { Answer } from './answer.ts'
import { type Json, toRecord, toTextOrNull } from './json.ts'

export function readError(answer: Answer, body: Json): void {
  if (body.error) {
    readDetails(answer, body.error)
    return
  }
  const isPlain = body.msg !== undefined && body.code !== undefined && body.choices === undefined
  if (isPlain && body.success !== true) readDetails(answer, { code: body.code, message: body.msg })
}

function readDetails(answer: Answer, error: unknown): void {
  const { message, code, type } = toRecord(error)
  answer.error = toTextOrNull(error) ?? toTextOrNull(message) ?? 'error in the stream'
  answer.errorCode = toCode(code) ?? toCode(type)
}

const toCode = (code: unknown): string | null =>
  typeof code === 'string' || typeof code === 'number' ? String(code) : null
