import type { Refusal } from './wires/wire.ts'

/** What this server refuses by itself, told in the shape of the wire that was used. */
export const refusals = {
  key: { status: 401, message: 'The key is missing, or it is not the one of this server.' },
  version: { status: 400, message: 'anthropic-version: header is required' },
  model: {
    status: 404,
    message: 'No script has the name of this model. GET /v1/models lists them.',
  },
  body: { status: 400, message: 'The body is no JSON, or it is packed in a way unknown here.' },
  size: { status: 413, message: 'The body is over 32 MiB.' },
} as const satisfies Record<string, Refusal>
