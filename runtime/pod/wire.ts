// A request's body in, an answer out. Everything is bounded here, for the routes.
import { createWriteStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Fault } from '#kernel/fault.ts'
import { fault } from './errors.ts'

const jsonBytesMax = 2 * 1024 ** 2 // A prompt of 200,000 characters, escaped at its worst, and the rest.

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > jsonBytesMax) throw fault('pod/too-large', { say: `At most ${jsonBytesMax} bytes.` })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (cause) {
    throw fault('pod/invalid', { say: 'The body is no JSON.', cause })
  }
}

export async function readToFile(request: IncomingMessage, path: string, bytesMax: number) {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  await pipeline(request, createLimit(bytesMax), file)
}

export function createLimit(bytesMax: number): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= bytesMax) done(null, chunk)
      else done(fault('pod/too-large', { say: `At most ${bytesMax} bytes.` }))
    },
  })
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
  if (!(error instanceof Fault)) process.stderr.write(`${toText(error)}\n`)
  if (response.headersSent) {
    response.destroy()
    return
  }
  // A body that nobody reads to its end must not be taken for the next request.
  response.shouldKeepAlive = false
  if (error instanceof Fault) {
    const { code, status, publicMessage: message, problems } = error
    sendJson(response, status, { code, message, ...(problems && { problems }) })
    return
  }
  const message = 'Something failed in the sandbox; its error output has it.'
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
