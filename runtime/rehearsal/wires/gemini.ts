// Gemini: POST …/models/M:generateContent and :streamGenerateContent. https://ai.google.dev/api/generate-content
import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { asSchema } from '../json-schema.ts'
import type { Usage } from '../script.ts'
import {
  type Conversation,
  type Event,
  type Refusal,
  type Turn,
  toPieces,
  toRefusal,
  type Wire,
} from './wire.ts'

const Part = z.looseObject({
  text: z.string().optional(),
  functionCall: z
    .looseObject({ id: z.string().optional(), name: z.string(), args: z.unknown().optional() })
    .optional(),
  functionResponse: z
    .looseObject({ id: z.string().optional(), name: z.string(), response: z.unknown().optional() })
    .optional(),
})
const Content = z.looseObject({
  role: z.enum(['user', 'model', 'function']).optional(),
  parts: z.array(Part).min(1, 'contents.parts must not be empty.'),
})
const Request = z.looseObject({
  contents: z.array(Content).min(1, 'contents is not specified.'),
  tools: z
    .array(
      z.looseObject({
        functionDeclarations: z
          .array(
            z.looseObject({
              name: z.string(),
              parameters: z.unknown().optional(),
              parametersJsonSchema: z.unknown().optional(),
            }),
          )
          .optional(),
      }),
    )
    .default([]),
  generationConfig: z
    .looseObject({
      responseJsonSchema: z.unknown().optional(),
      responseSchema: z.unknown().optional(),
    })
    .optional(),
})
type Request = z.infer<typeof Request>

/** The model and the verb, which this wire has in the path. */
export const geminiPath = /\/v1(?:beta)?\/models\/([^:]+):(generateContent|streamGenerateContent)$/
export const geminiCountPath = /\/v1(?:beta)?\/models\/[^:]+:countTokens$/
export const geminiModelsPath = /\/v1beta\/models$/

function parseRequest(body: unknown, path: string): Conversation | Refusal {
  const parsed = parse(Request, body)
  if (!parsed.ok) return toRefusal(parsed.problems)
  const { contents, tools, generationConfig } = parsed.value
  const [, model = '', verb] = geminiPath.exec(path) ?? []
  const schema = generationConfig?.responseJsonSchema ?? generationConfig?.responseSchema
  return {
    model: model.replace(/%2f/gi, '/'),
    stream: verb === 'streamGenerateContent',
    wantsUsage: true,
    tools: tools.flatMap(({ functionDeclarations = [] }) =>
      functionDeclarations.map(({ name, parameters, parametersJsonSchema }) => {
        return { name, parameters: asSchema(parametersJsonSchema ?? parameters) }
      }),
    ),
    ...pairCalls(contents),
    jsonSchema: schema === undefined ? undefined : asSchema(schema),
    session: undefined,
  }
}

/**
 * Ids are optional here. A call without one is named by its place, and a result without one answers the oldest open
 * call of its function.
 */
function pairCalls(contents: Request['contents']): Pick<Conversation, 'calls' | 'results'> {
  const calls: string[] = []
  const results: { call: string; text: string }[] = []
  const open = new Map<string, string[]>()
  for (const { functionCall: call, functionResponse: result } of contents.flatMap(
    ({ parts }) => parts,
  )) {
    if (call) {
      const id = call.id ?? `${call.name} at ${calls.length}`
      calls.push(id)
      if (call.id === undefined) open.set(call.name, [...(open.get(call.name) ?? []), id])
    } else if (result) {
      const id = result.id ?? open.get(result.name)?.shift() ?? `${result.name} without a call`
      results.push({ call: id, text: textOfResult(result.response) })
    }
  }
  return { calls, results }
}

/** A result is an object; its words stand in `output`, by the vendor's own advice. */
function textOfResult(response: unknown): string {
  const { output } = (response ?? {}) as { output?: unknown }
  return typeof output === 'string' ? output : JSON.stringify(response ?? '')
}

type GeminiPart =
  | { text: string }
  | { functionCall: { id: string; name: string; args: Record<string, unknown> } }

function toParts({ id, text, call }: Turn): GeminiPart[] {
  const parts: GeminiPart[] = []
  if (text) parts.push({ text })
  if (call) parts.push({ functionCall: { id: `call_${id}`, name: call.tool, args: call.args } })
  return parts
}

const toUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  promptTokenCount: inputTokens,
  cachedContentTokenCount: cachedTokens,
  candidatesTokenCount: outputTokens,
  totalTokenCount: inputTokens + outputTokens,
})

const toAnswer = (turn: Turn, parts: GeminiPart[], usage: Usage, more: object = {}) => ({
  candidates: [{ content: { parts, role: 'model' }, index: 0, ...more }],
  usageMetadata: toUsage(usage),
  modelVersion: turn.model,
  responseId: turn.id,
})

const stop = { finishReason: 'STOP' }

const toWhole = (turn: Turn) => toAnswer(turn, toParts(turn), turn.usage, stop)

/** Usage is repeated with each piece; only the last one's is all of it. */
function toEvents(turn: Turn): Event[] {
  const soFar = { ...turn.usage, outputTokens: 1 }
  const pieces = toParts(turn).flatMap((part): GeminiPart[] =>
    'text' in part ? toPieces(part.text).map((text) => ({ text })) : [part],
  )
  return [
    ...pieces.map((part): Event => ({ data: toAnswer(turn, [part], soFar) })),
    { data: toAnswer(turn, [{ text: '' }], turn.usage, stop), usage: true },
  ]
}

const statusNames: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

export const toGeminiFailure = ({ status, type, message }: Refusal) => ({
  error: { code: status, message, status: type ?? statusNames[status] ?? 'INTERNAL' },
})

export const gemini: Wire = {
  name: 'gemini',
  parse: parseRequest,
  toWhole,
  toEvents,
  toFailure: toGeminiFailure,
}
