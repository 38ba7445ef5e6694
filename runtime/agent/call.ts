// One model call with its retries. A call has no effect on the work, so it may be repeated from its
// start.
import { setTimeout as sleep } from 'node:timers/promises'
import { type AnswerBuilder, createAnswerBuilder, StreamError } from './answer.ts'
import type { Answer } from './conversation.ts'
import { createSseReader } from './sse.ts'

export type ModelCall = {
  origin: string
  token: string
  body: string
  signal: AbortSignal
  onText(text: string): void
  onRetry(reason: string, waitMs: number): void
  /** The wait before the first retry; it doubles with each. */
  backoffMs: number
}

const retriesMax = 3
// A longer wait is the loop's to make: it pauses without holding a sandbox.
const waitMsMax = 30_000
const answerBytesMax = 16 * 1024 * 1024 // Far over any model's longest answer.
const errorBytesMax = 64 * 1024

/** `waitMs`: what the other side asked for. Without `mayRetry` a repeat would end the same way. */
export class CallFailed extends Error {
  readonly mayRetry: boolean
  readonly waitMs: number | undefined
  constructor(message: string, mayRetry: boolean, waitMs?: number) {
    super(message)
    this.mayRetry = mayRetry
    this.waitMs = waitMs
  }
}

/** The whole answer. Throws `CallFailed` after the retries; the signal's reason once aborted. */
export async function callModel(call: ModelCall): Promise<Answer> {
  for (let retried = 0; ; retried += 1) {
    try {
      return await callOnce(call)
    } catch (error) {
      call.signal.throwIfAborted()
      const failure = toFailure(error)
      const waitMs = failure.waitMs ?? call.backoffMs * 2 ** retried
      if (!failure.mayRetry || retried === retriesMax || waitMs > waitMsMax) throw failure
      call.onRetry(failure.message, waitMs)
      await sleep(waitMs, undefined, { signal: call.signal })
    }
  }
}

async function callOnce({ origin, token, body, signal, onText }: ModelCall): Promise<Answer> {
  const response = await fetch(`${origin}/v1/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'anthropic-version': '2023-06-01',
      'x-api-key': token,
    },
    body,
    signal,
    redirect: 'error', // The token goes to this origin alone.
  })
  if (!response.ok) throw await toRefusal(response)
  const answer = createAnswerBuilder()
  for await (const data of readEvents(response)) showText(answer, data, onText)
  const whole = answer.finish()
  if (!whole) throw new CallFailed('The answer ended too early.', true)
  return whole
}

function showText(answer: AnswerBuilder, data: string, onText: (text: string) => void): void {
  const text = answer.take(data)
  if (text !== '') onText(text)
}

async function* readEvents(response: Response): AsyncGenerator<string> {
  const reader = createSseReader(answerBytesMax)
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > answerBytesMax) throw new CallFailed('The answer is too long.', false)
    yield* reader.push(chunk)
  }
}

async function toRefusal(response: Response): Promise<CallFailed> {
  const { status, headers } = response
  const mayRetry = (status === 408 || status === 429 || status >= 500) && !forbidsRetry(headers)
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const waitMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined
  return new CallFailed(`${status}: ${await readReason(response)}`, mayRetry, waitMs)
}

const forbidsRetry = (headers: Headers) => headers.get('x-should-retry') === 'false'

const reasonCharsMax = 1_000

/** The message in an error body of the Messages wire; else the body's text as it is. */
async function readReason(response: Response): Promise<string> {
  const text = await readBounded(response)
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    if (typeof error?.message === 'string') return error.message.slice(0, reasonCharsMax)
  } catch {
    // Not of this wire: its text must do.
  }
  return text.slice(0, reasonCharsMax) || response.statusText
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes > errorBytesMax) break
  }
  return Buffer.concat(chunks).subarray(0, errorBytesMax).toString()
}

const passingTypes = ['overloaded_error', 'api_error', 'rate_limit_error', 'timeout_error']

function toFailure(error: unknown): CallFailed {
  if (error instanceof CallFailed) return error
  if (error instanceof StreamError) {
    return new CallFailed(`${error.type}: ${error.message}`, passingTypes.includes(error.type))
  }
  const { message, cause } = error as Error
  const why = cause instanceof Error ? cause.message || cause.name : message
  return new CallFailed(`The connection failed: ${why}`, true)
}
