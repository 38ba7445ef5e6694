import type { Refusal } from './wire.ts'

type Row = { type: string; code: string | null }

const rows: Readonly<Record<number, Row>> = {
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  402: { type: 'insufficient_quota', code: 'insufficient_quota' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
  500: { type: 'server_error', code: null },
  503: { type: 'server_error', code: null },
}
const otherwise: Row = { type: 'invalid_request_error', code: null }

/** Chat Completions and Responses share one shape. */
export function toOpenaiFailure({ status, type, code, message }: Refusal) {
  const row = rows[status] ?? otherwise
  return { error: { message, type: type ?? row.type, param: null, code: code ?? row.code } }
}
