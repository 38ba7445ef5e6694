// How a refusal reads on each wire. What each agent does with which status was found by trial: a denial that an
// agent retries costs minutes, so statuses differ by wire and `x-should-retry: false` always goes along.
import type { Wire } from './api.ts'
import { type RefusalCode, refusalTable } from './errors.ts'
import type { Reply } from './exchange.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode
  readonly retryAfterS: number | null

  /** `say` is added to the text of the table: what was refused, and how much there was. */
  constructor(code: RefusalCode, say?: string, retryAfterS: number | null = null) {
    super(say ? `${refusalTable[code].text} ${say}` : refusalTable[code].text)
    this.code = code
    this.retryAfterS = retryAfterS
  }
}

/** Codex stops on a 400 alone: it repeats a 402 or 403 six times. Google knows no 402. */
export function toStatus(code: RefusalCode, wire: Wire | null): number {
  const { status, isDenial } = refusalTable[code]
  if (!isDenial) return status
  return wire === 'responses' ? 400 : wire === 'gemini' ? 403 : status
}

export function sendRefusal(reply: Reply, refusal: Refusal, wire: Wire | null): number {
  const status = toStatus(refusal.code, wire)
  const headers = ['content-type', 'application/json']
  if (status < 500 && status !== 429) headers.push('x-should-retry', 'false')
  if (refusal.retryAfterS !== null) headers.push('retry-after', `${refusal.retryAfterS}`)
  if (status === 426) headers.push('upgrade', 'HTTP/1.1', 'connection', 'upgrade, close')
  // What is left of the request's body is not read: the connection can't be used again.
  else if (closing.has(status)) headers.push('connection', 'close')
  reply.send(status, headers, JSON.stringify(shapes[wire ?? 'chat'](refusal, status)))
  return status
}

const closing = new Set([413, 415, 505])

type Shape = (refusal: Refusal, status: number) => object

function toAnthropic({ code, message }: Refusal) {
  return { type: 'error', error: { type: refusalTable[code].type, message } }
}

function toOpenAi({ code, message }: Refusal) {
  return { error: { message, type: refusalTable[code].type, param: null, code } }
}

// https://google.aip.dev/193, and what its codes are over HTTP.
const googleNames: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}
const typeUrl = 'type.googleapis.com/google.rpc.'

function toGoogle({ code, message, retryAfterS }: Refusal, status: number) {
  const reason = code.toUpperCase().replace(/\W/g, '_')
  const details: object[] = [{ '@type': `${typeUrl}ErrorInfo`, reason, domain: 'treadle' }]
  if (retryAfterS !== null)
    details.push({ '@type': `${typeUrl}RetryInfo`, retryDelay: `${retryAfterS}s` })
  const name = googleNames[status] ?? 'INVALID_ARGUMENT'
  return { error: { code: status, message, status: name, details } }
}

const shapes: Readonly<Record<Wire, Shape>> = {
  messages: toAnthropic,
  chat: toOpenAi,
  responses: toOpenAi,
  gemini: toGoogle,
}
