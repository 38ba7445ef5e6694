// The one way from a page to the API: JSON in, JSON out, and one kind of error.
import { type Problem, toPlain } from '../words/problem.ts'

/** What the API refused, in its own words. `status` 0 = no answer came. */
export class Refusal extends Error {
  readonly code: string
  readonly status: number
  readonly problems: readonly Problem[]
  constructor(status: number, { code, message, problems = [] }: RefusalBody) {
    super(message)
    this.status = status
    this.code = code
    this.problems = problems.map(toPlain)
  }
}
type RefusalBody = { code: string; message: string; problems?: Problem[] }

export type Ask = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  json?: unknown
  signal?: AbortSignal
}

/** @throws {Refusal} An abort is thrown as it is. */
export async function ask<T>(path: string, { method = 'GET', json, signal }: Ask = {}): Promise<T> {
  const response = await request(path, { method, json, signal })
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

/** For what is no JSON: an agent's output, a recording. */
export async function askText(path: string, signal?: AbortSignal): Promise<string> {
  return await (await request(path, { method: 'GET', signal })).text()
}

type Request = { method: string; json?: unknown; signal?: AbortSignal | undefined }

async function request(path: string, { method, json, signal }: Request): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: {
      accept: 'application/json',
      ...(json !== undefined && { 'content-type': 'application/json' }),
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new Refusal(0, { code: 'console/no-answer', message: 'Treadle does not answer.' })
  })
  if (response.ok) return response
  throw new Refusal(response.status, await toBody(response))
}

async function toBody(response: Response): Promise<RefusalBody> {
  const body: unknown = await response.json().catch(() => null)
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    return body as RefusalBody
  }
  return {
    code: 'console/unknown',
    message: `Treadle answered ${response.status} without a reason.`,
  }
}

/** A path with its query; what is undefined, null or empty is left out. */
export function toPath(path: string, query: Record<string, string | number | null | undefined>) {
  const used = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  )
  const text = new URLSearchParams(used.map(([name, value]) => [name, String(value)])).toString()
  return text === '' ? path : `${path}?${text}`
}
