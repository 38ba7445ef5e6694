// Why nothing answers at a path, in words for whoever asked, and in the shape of error that they read.
import type { Wire } from './api.ts'

type Absence = { wire: Wire | null; say: string }

const reasons: readonly (readonly [RegExp, Wire | null, string])[] = [
  [/^\/(?:v1\/)?messages\/batches(?:\/|$)/, 'messages', 'Batches are not served here: send calls.'],
  [/^\/v1\/batches(?:\/|$)/, 'chat', 'Batches are not served here: send calls.'],
  [/:(?:batchGenerateContent|asyncBatchEmbedContent)$/, 'gemini', 'Batches are not served here.'],
  [/^\/v1(?:beta)?\/batches\//, 'gemini', 'Batches are not served here: send calls.'],
  [
    /^(?:\/upload)?\/v1beta\/files(?:\/|$)/,
    'gemini',
    'Files are not served here: send them inline.',
  ],
  [/^\/v1\/(?:files|uploads)(?:\/|$)/, null, 'Files are not served here: send them inline.'],
  [/^\/v1(?:beta)?\/cachedContents(?:\/|$)/, 'gemini', 'Stored caches are not served here.'],
  [/^\/v1(?:beta\d*)?\/projects\//, 'gemini', 'The paths of Vertex are not served here.'],
  [/^\/v1\/realtime(?:\/|$)/, 'chat', 'Realtime sessions are not served here.'],
  [/^\/v1\/audio\//, 'chat', 'Speech is not served here.'],
  [/^\/v1\/(?:images|videos)(?:\/|$)/, 'chat', 'Pictures and films are not made here.'],
  [/^\/v1\/conversations(?:\/|$)/, 'responses', 'Stored conversations are not served here.'],
  [/^\/v1\/(?:containers|vector_stores)(?:\/|$)/, 'responses', 'Stored files are not served here.'],
  [/^\/v1\/(?:assistants|threads)(?:\/|$)/, 'chat', 'Assistants are not served: use Responses.'],
  [/^\/v1\/completions$/, 'chat', 'Plain completions are not served: use chat.'],
  [/^\/v1\/(?:fine_tuning|evals|moderations)(?:\/|$)/, 'chat', 'Only model calls are served here.'],
]

const wiresByPath: readonly (readonly [RegExp, Wire])[] = [
  [/^\/(?:v1\/)?messages(?:\/|$)/, 'messages'],
  [/^\/v1\/responses(?:\/|$)/, 'responses'],
  [/^\/v1beta\//, 'gemini'],
]

const pathCharsMax = 200

export function absenceOf(method: string, path: string): Absence {
  const asked = `${method} ${path.slice(0, pathCharsMax)}`
  const found = reasons.find(([pattern]) => pattern.test(path))
  if (found) return { wire: found[1], say: `${asked}. ${found[2]}` }
  return { wire: wiresByPath.find(([pattern]) => pattern.test(path))?.[1] ?? null, say: asked }
}
