// What is asked for, by method and path alone. Paths are compared as they came: one that is written otherwise is no route,
// for another server could read it as something else.
import type { Operation, Wire } from './api.ts'
import { readGeminiCall } from './gemini-route.ts'
import { isModelsPath } from './models.ts'
import { absenceOf } from './route-absent.ts'

export type Route =
  | {
      kind: 'call'
      wire: Wire
      operation: Exclude<Operation, 'stored'>
      /** Where the path names it; else the body does. */
      model: string | null
      /** As the vendor has it, whatever prefix the client's base URL left out or added. */
      path: string
    }
  /** A stored response: read, ended, or taken back. */
  | { kind: 'stored'; wire: 'responses'; id: string; path: string }
  | { kind: 'models'; wire: Wire | null; path: string }
  /** Clients ask whether anything is there, before they send a key. */
  | { kind: 'hello'; wire: null }
  | { kind: 'absent'; wire: Wire | null; say: string }

type Call = readonly [Wire, Exclude<Operation, 'stored'>]

const calls: Readonly<Record<string, Call>> = {
  '/v1/messages': ['messages', 'generate'],
  '/v1/messages/count_tokens': ['messages', 'count'],
  '/v1/chat/completions': ['chat', 'generate'],
  '/v1/embeddings': ['chat', 'embed'],
  '/v1/responses': ['responses', 'generate'],
  '/v1/responses/compact': ['responses', 'compact'],
  '/v1/responses/input_tokens': ['responses', 'count'],
}

// Clients whose base URL ends before the version, or is the vendor's own with another host.
const aliases: readonly (readonly [RegExp, string])[] = [
  [/^\/messages(?=$|\/count_tokens$)/, '/v1/messages'],
  [/^\/api\/anthropic\/v1\/messages(?=$|\/count_tokens$)/, '/v1/messages'],
  [/^\/api\/(?:coding\/)?paas\/v4\/(?=chat\/completions$|embeddings$)/, '/v1/'],
]

const storedPath = /^\/v1\/responses\/([\w-]{1,200})(\/cancel|\/input_items)?$/
const helloPaths = new Set(['/', '/api/hello'])

export function findRoute(method: string, path: string): Route {
  const plain = toPlain(path)
  if (method === 'POST') {
    const call = calls[plain]
    if (call) return { kind: 'call', wire: call[0], operation: call[1], model: null, path: plain }
    const gemini = readGeminiCall(path)
    if (gemini) return { kind: 'call', wire: 'gemini', path, ...gemini }
  }
  const stored = findStored(method, path)
  if (stored) return stored
  if (method === 'GET' && isModelsPath(path)) return { kind: 'models', wire: null, path }
  if (method === 'HEAD' && helloPaths.has(path)) return { kind: 'hello', wire: null }
  if (method === 'GET' && path === '/api/hello') return { kind: 'hello', wire: null }
  return { kind: 'absent', ...absenceOf(method, path) }
}

function toPlain(path: string): string {
  if (Object.hasOwn(calls, path)) return path
  for (const [from, to] of aliases) {
    if (from.test(path)) return path.replace(from, to)
  }
  return ''
}

const storedMethods: Readonly<Record<string, readonly string[]>> = {
  '': ['GET', 'DELETE'],
  '/cancel': ['POST'],
  '/input_items': ['GET'],
}

function findStored(method: string, path: string): Route | null {
  const [, id, what = ''] = storedPath.exec(path) ?? []
  if (id === undefined || !storedMethods[what]!.includes(method)) return null
  return { kind: 'stored', wire: 'responses', id, path }
}
