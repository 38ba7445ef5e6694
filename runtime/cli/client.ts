// HTTP to the front door, as the bearer of one key.
import { Agent, type Dispatcher, request } from 'undici'
import { failure, toFailure } from './errors.ts'
import type { Access } from './instance.ts'

export type Call = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  json?: unknown
  /** How long the other side may stay silent. Default 60 s. */
  silentMsMax?: number
}
export type Client = AsyncDisposable & {
  readonly access: Access
  /** Throws a Failure with the server's words for an answer over 399. */
  call(path: string, call?: Call): Promise<Dispatcher.ResponseData>
  json<T>(path: string, call?: Call): Promise<T>
  bytes(path: string): Promise<Buffer>
}

const answerBytesMax = 64 * 1024 * 1024 // A thread with all of its messages is the largest answer.

export function createClient(access: Access, interrupted: AbortSignal): Client {
  const agent = new Agent({ connect: { timeout: 5_000 }, maxResponseSize: answerBytesMax })
  const call = async (path: string, { method = 'GET', json, silentMsMax = 60_000 }: Call = {}) => {
    const response = await request(new URL(path, access.url), {
      dispatcher: agent,
      method,
      headers: {
        authorization: `Bearer ${access.token.reveal()}`,
        ...(json !== undefined && { 'content-type': 'application/json' }),
      },
      body: json === undefined ? null : JSON.stringify(json),
      headersTimeout: silentMsMax,
      bodyTimeout: silentMsMax,
      signal: interrupted,
    }).catch((error: Error) => {
      throw interrupted.aborted ? error : toUnreachable(access.url, error)
    })
    if (response.statusCode > 399) throw await toRefusal(response)
    return response
  }
  const whole = async (path: string, options?: Call) => {
    const { body, statusCode } = await call(path, options)
    const bytes = await body.arrayBuffer().catch((error: Error) => {
      throw interrupted.aborted ? error : toUnreachable(access.url, error)
    })
    return { bytes: Buffer.from(bytes), statusCode }
  }
  return {
    access,
    call,
    async json<T>(path: string, options?: Call) {
      const { bytes, statusCode } = await whole(path, options)
      return toJson(bytes.toString(), statusCode) as T
    },
    bytes: async (path) => (await whole(path)).bytes,
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

export function toUnreachable(url: URL, cause: Error) {
  const why = cause.message || (cause as NodeJS.ErrnoException).code || 'no answer'
  const message = `${url.origin} does not answer (${why}). Is Treadle running there?`
  return failure('cli/unreachable', message, { cause })
}

const toRefusal = async ({ body, statusCode }: Dispatcher.ResponseData) =>
  toFailure(statusCode, toJson(await body.text(), statusCode))

export function toJson(text: string, status: number): object {
  try {
    return text === '' ? {} : (JSON.parse(text) as object)
  } catch (cause) {
    const message = `The answer (${status}) is no JSON. Does Treadle answer at this address?`
    throw failure('cli/answer', message, { cause })
  }
}
