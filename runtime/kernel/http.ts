import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type RequestHandler, type Router } from 'express'
import { Fault } from './fault.ts'
import type { Logger } from './log.ts'

export type Listening = AsyncDisposable & { url: URL; server: Server }

/** Serves a router on loopback; port 0 picks a free one. Disposing drains, then cuts what is left. */
export async function listen(router: Router, port: number, log: Logger): Promise<Listening> {
  const app = express().disable('x-powered-by').disable('etag')
  app.use(withRequestId, router, notFound, toResponse(log))
  const server = createServer(app)
  return listenOn(server, port)
}

/** Listens with a server of one's own making. @param reusePort Other processes may listen there as well. */
export async function listenOn(
  server: Server,
  port: number,
  reusePort = false,
): Promise<Listening> {
  server.listen({ port, host: '127.0.0.1', reusePort })
  await once(server, 'listening') // `once` rejects on 'error': a port in use is the caller's to explain.
  const { port: bound } = server.address() as AddressInfo
  const url = new URL(`http://127.0.0.1:${bound}`)
  return { url, server, [Symbol.asyncDispose]: () => drain(server) }
}

/** One id a request, taken over from the caller, so that lines of several roles can be joined. */
const withRequestId: RequestHandler = (request, response, next) => {
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
  request.headers['x-request-id'] = id
  response.setHeader('x-request-id', id)
  next()
}

const notFound: RequestHandler = (request, response) => {
  const message = `Nothing answers ${request.method} ${request.path}.`
  response.status(404).json({ code: 'route/absent', message })
}

/** The only place where an error becomes a response. What is not a Fault tells the caller nothing. */
function toResponse(log: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    const requestId = request.headers['x-request-id']
    if (response.headersSent) return next(error)
    if (error instanceof Fault) {
      log.info(
        { code: error.code, detail: error.message, path: request.path, requestId },
        'refused',
      )
      const { code, publicMessage: message, problems } = error
      return response.status(error.status).json({ code, message, ...(problems && { problems }) })
    }
    if (isBodyError(error)) {
      return response.status(error.status).json({ code: error.type, message: error.message })
    }
    log.error({ error, path: request.path, requestId }, 'failed')
    const message = `Something failed here; the log has it under request ${requestId}.`
    response.status(500).json({ code: 'internal', message })
  }
}

/** What express's body parsers throw: malformed JSON, a body over its limit, an unknown charset. */
function isBodyError(error: unknown): error is { status: number; type: string; message: string } {
  return error instanceof Error && 'expose' in error && error.expose === true && 'type' in error
}

const drainMsMax = 3_000 // The whole process drains in 10 s; several servers and their work share that.

async function drain(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), drainMsMax).unref()
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  await closed
  clearTimeout(cut)
}
