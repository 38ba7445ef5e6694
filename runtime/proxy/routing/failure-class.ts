// What a failed try means for the credential and for the next try. Statuses alone don't say: vendors answer a spent
// balance with 429, 400 or 403, so their own codes in the body go first.
//
// | class        | what happened                                             | what it says                          |
// | ------------ | --------------------------------------------------------- | ------------------------------------- |
// | dead-key     | 401, 402, 403 not about the request, no balance           | no call of this credential will work  |
// | rate-limited | 429                                                       | too much of it, for a while           |
// | busy         | too many at once for this account (Z.ai 1302)             | too much of it at this moment         |
// | overloaded   | 503, 529                                                  | the vendor is full                    |
// | unsent       | no connection                                             | provably nothing was done             |
// | unanswered   | the connection ended, or time did, before an answer       | it may have been done                 |
// | failed       | any other 5xx                                             | it may have been done                 |
// | bad-request  | any other 4xx                                             | it is wrong everywhere                |
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import type { FailureClass } from './api.ts'
import type { Failure } from './attempts.ts'

const textBytesMax = 64 * 1024 // As much as is collected of an error's body.

// https://docs.z.ai/api-reference/api-code
const zaiCodes: Readonly<Record<string, FailureClass>> = {
  ...toRows(['1000', '1001', '1002', '1003', '1004'], 'dead-key'), // The key.
  ...toRows(['1100', '1110', '1111', '1112', '1113', '1120', '1309'], 'dead-key'), // The account; 1113 = no balance.
  ...toRows(['1302'], 'busy'),
  ...toRows(['1303', '1304', '1305', '1308', '1310'], 'rate-limited'),
  ...toRows(['1210', '1211', '1212', '1213', '1214', '1215', '1300', '1301'], 'bad-request'),
  ...toRows(['1234', '1312'], 'overloaded'),
}

// Of the other vendors: names that say more than their status does.
const namedCodes: Readonly<Record<string, FailureClass>> = {
  insufficient_quota: 'dead-key', // OpenAI, with 429: the account has no money.
  billing_hard_limit_reached: 'dead-key',
  account_deactivated: 'dead-key',
  invalid_api_key: 'dead-key',
  API_KEY_INVALID: 'dead-key', // Google, with 400.
  CONSUMER_SUSPENDED: 'dead-key',
  billing_error: 'dead-key',
  model_not_found: 'bad-request', // OpenAI, with 403: this project has no such model.
  content_policy_violation: 'bad-request',
  unsupported_country_region_territory: 'dead-key',
}

const lowBalance = /credit balance is too low/i // Anthropic, with 400 invalid_request_error.
const aboutModel = /\bmodel\b/i // A 403 that names one forbids this request, not the key.

function toRows(codes: readonly string[], found: FailureClass): Record<string, FailureClass> {
  return Object.fromEntries(codes.map((code) => [code, found]))
}

/** Null for an answer that is no failure. */
export function classify(failure: Failure): FailureClass | null {
  if (failure.kind !== 'answered') return failure.kind
  const { status } = failure
  if (status < 400) return null
  const said = status === 404 || status === 413 ? null : classOfBody(failure)
  return said ?? classOfStatus(status)
}

function classOfStatus(status: number): FailureClass {
  if (status === 401 || status === 402 || status === 403) return 'dead-key'
  if (status === 429) return 'rate-limited'
  if (status === 503 || status === 529) return 'overloaded'
  return status >= 500 ? 'failed' : 'bad-request'
}

function classOfBody(failure: Failure & { kind: 'answered' }): FailureClass | null {
  const error = readError(toText(failure))
  if (error === null) return null
  for (const code of error.codes) {
    const found = zaiCodes[code] ?? namedCodes[code]
    if (found) return found
  }
  if (failure.status === 400 && lowBalance.test(error.message)) return 'dead-key'
  return failure.status === 403 && aboutModel.test(error.message) ? 'bad-request' : null
}

const decoders: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => gunzipSync(body, { maxOutputLength: textBytesMax }),
  deflate: (body) => inflateSync(body, { maxOutputLength: textBytesMax }),
  br: (body) => brotliDecompressSync(body, { maxOutputLength: textBytesMax }),
  zstd: (body) => zstdDecompressSync(body, { maxOutputLength: textBytesMax }),
}

function toText({ headers, body }: Failure & { kind: 'answered' }): string {
  if (body === null) return ''
  const encoding = readHeader(headers, 'content-encoding')?.toLowerCase()
  if (encoding === undefined || encoding === 'identity') return body.toString('utf8')
  try {
    return decoders[encoding]?.(body).toString('utf8') ?? ''
  } catch {
    return '' // Cut, too large or no such encoding: the status decides.
  }
}

type Said = { codes: string[]; message: string }

/** `{error: {code, type, status, message, details: [{reason}]}}`, in whichever of these a vendor writes. */
function readError(text: string): Said | null {
  if (!text.includes('"')) return null
  try {
    const parsed = JSON.parse(text) as unknown
    const outer = asObject(Array.isArray(parsed) ? parsed[0] : parsed)
    const error = asObject(outer?.error) ?? outer
    if (!error) return null
    const details = Array.isArray(error.details) ? error.details : []
    const reasons = details.slice(0, 10).map((detail) => asObject(detail)?.reason)
    const codes = [error.code, ...reasons, error.type]
      .filter((code) => typeof code === 'string' || typeof code === 'number')
      .map(String)
    return { codes, message: typeof error.message === 'string' ? error.message : '' }
  } catch {
    return null // No JSON: an HTML page of something in between.
  }
}

const asObject = (value: unknown) =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined

export function readHeader(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) return raw[i + 1]
  }
  return undefined
}

/** How long the upstream asks to wait: seconds or a date (RFC 9110 section 10.2.3); null = it does not say. */
export function readRetryAfterMs(failure: Failure, nowMs: number): number | null {
  if (failure.kind !== 'answered') return null
  const exact = readHeader(failure.headers, 'retry-after-ms') // OpenAI's finer one.
  if (exact !== undefined && /^\d{1,9}$/.test(exact)) return Number(exact)
  const value = readHeader(failure.headers, 'retry-after')
  if (value === undefined) return null
  const ms = /^\d{1,9}(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}
