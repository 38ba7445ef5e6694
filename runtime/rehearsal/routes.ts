import { type ErrorRequestHandler, json, type Request, type RequestHandler, Router } from 'express'
import { parse, toText } from '#kernel/parse.ts'
import { answerWith, type Desk, isKey } from './answer.ts'
import { refusals } from './errors.ts'
import { PlannedFault } from './planned-fault.ts'
import { scripts } from './scripts/scripts.ts'
import { chat } from './wires/chat.ts'
import {
  gemini,
  geminiCountPath,
  geminiModelsPath,
  geminiPath,
  toGeminiFailure,
} from './wires/gemini.ts'
import { messages } from './wires/messages.ts'
import { toOpenaiFailure } from './wires/openai.ts'
import { responses } from './wires/responses.ts'

const bodyBytesMax = 32 * 1024 * 1024 // As much as the vendors take.

// A base URL may hold a prefix before /v1, as those of some gateways do.
export const rehearsalRoutes = (desk: Desk) =>
  Router()
    .use(json({ limit: bodyBytesMax, type: () => true }))
    .get('{/*prefix}/v1/models', withKey(desk), (_request, response) => {
      response.json({ object: 'list', data: [...scripts.keys()].map(toModel), has_more: false })
    })
    .post('{/*prefix}/v1/messages/count_tokens', withKey(desk), (_request, response) => {
      response.json({ input_tokens: 1_000 })
    })
    .post('{/*prefix}/v1/messages', answerWith(messages, desk))
    .post('{/*prefix}/v1/chat/completions', answerWith(chat, desk))
    .post('{/*prefix}/v1/responses', answerWith(responses, desk))
    .get(geminiModelsPath, withKey(desk), (_request, response) => {
      response.json({ models: [...scripts.keys()].map(toGeminiModel) })
    })
    .post(geminiCountPath, withKey(desk), (_request, response) => {
      response.json({
        totalTokens: 1_000,
        promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1_000 }],
      })
    })
    .post(geminiPath, answerWith(gemini, desk))
    .post('/rehearsal/fault', withKey(desk), setFault(desk))
    .use(refuseBody)

const withKey =
  ({ key }: Desk): RequestHandler =>
  (request, response, next) => {
    if (isKey(request, key)) return next()
    response.status(refusals.key.status).json(toFailureOf(request)(refusals.key))
  }

/** `{}` ends what is planned. */
const setFault =
  ({ faults }: Desk): RequestHandler =>
  (request, response) => {
    const parsed = parse(PlannedFault, request.body)
    if (!parsed.ok) {
      const refusal = { status: 400, message: toText(parsed.problems) }
      return void response.status(400).json(toOpenaiFailure(refusal))
    }
    faults.set(parsed.value)
    response.json(parsed.value)
  }

/** As both vendors list a model. */
const toModel = (script: string) => {
  const id = `rehearsal/${script}`
  return { id, object: 'model', type: 'model', display_name: id, created: 0, owned_by: 'rehearsal' }
}

const toGeminiModel = (script: string) => ({
  name: `models/rehearsal/${script}`,
  displayName: `rehearsal/${script}`,
  supportedGenerationMethods: ['generateContent', 'countTokens'],
})

const refuseBody: ErrorRequestHandler = (error, request, response, next) => {
  const { status } = error as { status?: unknown }
  if (typeof status !== 'number' || status >= 500) return next(error)
  const refusal = status === 413 ? refusals.size : refusals.body
  response.status(refusal.status).json(toFailureOf(request)(refusal))
}

const toFailureOf = ({ path }: Request) =>
  path.includes('/v1beta/') ? toGeminiFailure : toOpenaiFailure
