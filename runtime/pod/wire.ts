// A request's body in, an answer out. Everything is bounded here, for the routes.

import type { FileHandle } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fault } from '#kernel/fault.ts'
import { fault } from './errors.ts'

const jsonBytesMax = 2 * 1024 ** 2 // A prompt of 200,000 characters, escaped at its worst, and the rest.

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of piecesOf(request, jsonBytesMax)) chunks.push(chunk)
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (cause) {
    throw fault('pod/invalid', { say: 'The body is no JSON.', cause })
  }
}

export async function readToFile(request: IncomingMessage, file: FileHandle, bytesMax: number) {
  for await (const chunk of piecesOf(request, bytesMax)) await file.writeFile(chunk)
}

async function* piecesOf(request: IncomingMessage, bytesMax: number): AsyncIterable<Buffer> {
  let bytes = 0
  // A refusal half-way must not destroy the request: its socket still has to carry the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > bytesMax) throw fault('pod/too-large', { say: `At most ${bytesMax} bytes.` })
    yield chunk
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

/** The only place where an error becomes an answer. What is not a Fault tells the caller nothing. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.destroyed) return // The caller left, and that may be the error.
  if (!(error instanceof Fault)) process.stderr.write(`${toText(error)}\n`)
  if (response.headersSent) {
    response.destroy() // The caller sees an answer cut short.
    return
  }
  response.req.resume() // The rest of a refused body is not the next request.
  if (error instanceof Fault) {
    const { code, status, publicMessage: message, problems } = error
    sendJson(response, status, { code, message, ...(problems && { problems }) })
    return
  }
  const message = 'Something failed in the sandbox; the error output of its daemon has it.'
  sendJson(response, 500, { code: 'internal', message })
}

const toText = (error: unknown) => (error instanceof Error ? error.stack : String(error))

/** Aborts when the caller leaves before its answer is complete. */
export function whenGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}
