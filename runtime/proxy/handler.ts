// Every request on the model routes: framing → route → who. What it may do then is intake.ts.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import { ClientLeft } from './body.ts'
import type { Identify } from './caller.ts'
import { readCredential } from './credential.ts'
import { assertFraming } from './headers.ts'
import type { Intake } from './intake.ts'
import { lineOf } from './line.ts'
import { toModelList } from './models.ts'
import type { Providers } from './providers.ts'
import { Refusal, sendRefusal } from './refusal.ts'

type HandlerDeps = { identify: Identify; intake: Intake; providers: Providers; log: Logger }

const wiresByPath: Readonly<Record<string, Wire>> = {
  '/v1/messages': 'messages',
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'responses',
}

export function createHandler({ identify, intake, providers, log }: HandlerDeps): RequestListener {
  return (request, response) => {
    const path = request.url!.split('?', 1)[0]!
    const wire = (request.method === 'POST' && wiresByPath[path]) || null
    answer(request, response, path, wire).catch((error: unknown) =>
      refuse(log, { request, response, wire }, error),
    )
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    wire: Wire | null,
  ): Promise<void> {
    assertFraming(request.rawHeaders, request.httpVersion)
    const { method, headers, rawHeaders, socket } = request
    if (headers.upgrade?.toLowerCase() === 'websocket') throw new Refusal('upgrade/refused')
    if (method === 'HEAD' && path === '/') return void response.writeHead(200).end()
    const isList = method === 'GET' && path === '/v1/models'
    if (!isList && !wire) throw new Refusal('route/absent', `${method} ${path.slice(0, 200)}`)
    const found = identify(readCredential(rawHeaders), lineOf(socket))
    const caller = found instanceof Promise ? await found : found
    if (wire) return intake.take({ request, response, wire, caller })
    const list = JSON.stringify(toModelList(caller, providers.all()))
    response.writeHead(200, { 'content-type': 'application/json' }).end(list)
  }
}

type Refused = { request: IncomingMessage; response: ServerResponse; wire: Wire | null }

function refuse(log: Logger, { request, response, wire }: Refused, error: unknown): void {
  if (error instanceof ClientLeft) return
  if (!(error instanceof Refusal)) log.error({ error }, 'a call failed in the proxy')
  if (response.headersSent) return void response.destroy()
  const refusal = error instanceof Refusal ? error : new Refusal('internal')
  const isAnthropic = wire === null && request.headers['anthropic-version'] !== undefined
  const status = sendRefusal(response, refusal, isAnthropic ? 'messages' : wire)
  const { code, message: reason } = refusal
  log.info({ code, status, reason, sandbox: lineOf(request.socket) }, 'refused')
}
