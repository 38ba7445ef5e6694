// Gemini names the model and what is to be done in the path: /v1beta/models/{model}:generateContent. What is read here is
// what the upstream will read, so only paths and queries that can be read in one way alone are known.
import type { Operation } from './api.ts'
import { Refusal } from './refusal.ts'

const verbs = {
  generateContent: 'generate',
  streamGenerateContent: 'generate',
  countTokens: 'count',
  embedContent: 'embed',
  batchEmbedContents: 'embed',
} as const satisfies Readonly<Record<string, Operation>>

export type GeminiCall = { model: string; operation: 'generate' | 'count' | 'embed' }

// Of percent-encodings the slash alone, for models such as rehearsal/x. A colon would be a second place to split at.
const callPath = /^\/v1(?:beta)?\/models\/((?:[\w.@~/-]|%2[Ff])+):(\w+)$/
const modelPath = /^\/v1(?:beta)?\/models\/((?:[\w.@~/-]|%2[Ff])+)$/
const modelCharsMax = 200

export function readGeminiCall(path: string): GeminiCall | null {
  const [, encoded, verb] = callPath.exec(path) ?? []
  const model = encoded === undefined ? null : toModel(encoded)
  if (model === null || !isVerb(verb!)) return null
  return { model, operation: verbs[verb] }
}

/** The same path with another model, as an alias wants it. */
export const replaceModel = (target: string, model: string): string =>
  target.replace(/(\/models\/)[^:]+(?=:)/, (_, before: string) => before + encodeURI(model))

const isVerb = (verb: string): verb is keyof typeof verbs => Object.hasOwn(verbs, verb)

/** The model of `GET /v1beta/models/{model}`, or of the same below /v1. */
export function readModelPath(path: string): string | null {
  const encoded = modelPath.exec(path)?.[1]
  return encoded === undefined ? null : toModel(encoded)
}

function toModel(encoded: string): string | null {
  const model = encoded.replace(/%2f/gi, '/')
  const parts = model.split('/')
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..')
  return isPlain && model.length <= modelCharsMax ? model : null
}

// As the vendor's front ends know them.
const credentialNames = ['key', 'access_token', 'oauth_token', 'bearer_token']

/**
 * **Security.** `key` and its kin would be a second credential, and one that logs keep. `fields` would cut the usage out
 * of the answer, `alt=proto` would hide it, `callback` and `$httpMethod` make it another request.
 */
export function assertGeminiQuery(url: string): void {
  assertNoCredential(url)
  const query = queryOf(url)
  if (query === '' || query === 'alt=sse' || query === 'alt=json') return
  throw new Refusal('query/refused', 'Of a query, alt=sse or alt=json alone is taken.')
}

/** For what is answered here, where the rest of a query does no harm. */
export function assertNoCredential(url: string): void {
  for (const name of new URLSearchParams(queryOf(url)).keys()) {
    if (credentialNames.includes(name.replace(/^\$/, '').toLowerCase()))
      throw new Refusal('credential/query')
  }
}

const queryOf = (url: string) => {
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at + 1)
}
