// Every request on the model routes: framing → route → who. What it may do then is intake.ts.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import { ClientLeft } from './body.ts'
import type { Identify } from './caller.ts'
import { readCredential } from './credential.ts'
import { assertGeminiQuery, assertNoCredential, readGeminiCall } from './gemini-route.ts'
import { assertFraming } from './headers.ts'
import type { Intake } from './intake.ts'
import { lineOf } from './line.ts'
import { isModelsPath, readModels } from './models.ts'
import type { Observer } from './observe/observer.ts'
import type { Providers } from './providers.ts'
import { Refusal, sendRefusal } from './refusal.ts'

type HandlerDeps = {
  identify: Identify
  intake: Intake
  providers: Providers
  observer: Observer
  log: Logger
}

const wiresByPath: Readonly<Record<string, Wire>> = {
  '/v1/messages': 'messages',
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'responses',
}

export function createHandler(deps: HandlerDeps): RequestListener {
  const { identify, intake, providers } = deps
  return (request, response) => {
    const route = findRoute(request)
    answer(request, response, route).catch((error: unknown) =>
      refuse(deps, { request, response, wire: route.wire }, error),
    )
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    { path, wire, model, isCount }: Route,
  ): Promise<void> {
    assertFraming(request.rawHeaders, request.httpVersion)
    const { method, headers, rawHeaders, socket } = request
    if (headers.upgrade?.toLowerCase() === 'websocket') throw new Refusal('upgrade/refused')
    if (method === 'HEAD' && path === '/') return void response.writeHead(200).end()
    const isList = method === 'GET' && isModelsPath(path)
    if (!isList && !wire) throw new Refusal('route/absent', `${method} ${path.slice(0, 200)}`)
    const isGemini = wire === 'gemini'
    if (isGemini) assertGeminiQuery(request.url!)
    else if (isList) assertNoCredential(request.url!)
    const found = identify(readCredential(rawHeaders, isGemini || isList), lineOf(socket))
    const caller = found instanceof Promise ? await found : found
    if (wire) return intake.take({ request, response, wire, model, isCount, caller })
    const read = JSON.stringify(readModels(path, caller, providers.all()))
    response.writeHead(200, { 'content-type': 'application/json' }).end(read)
  }
}

type Route = { path: string; wire: Wire | null; model: string | null; isCount: boolean }

/** Never throws: what has no wire is refused later, in the shape that its asker knows. */
function findRoute({ method, url }: IncomingMessage): Route {
  const path = url!.split('?', 1)[0]!
  const none = { path, wire: null, model: null, isCount: false }
  if (method !== 'POST') return none
  const wire = wiresByPath[path]
  if (wire) return { ...none, wire }
  const call = readGeminiCall(path)
  return call ? { path, wire: 'gemini', ...call } : none
}

type Refused = { request: IncomingMessage; response: ServerResponse; wire: Wire | null }

function refuse(
  { log, observer }: HandlerDeps,
  { request, response, wire }: Refused,
  error: unknown,
): void {
  if (error instanceof ClientLeft) return
  if (!(error instanceof Refusal)) log.error({ error }, 'a call failed in the proxy')
  if (response.headersSent) return void response.destroy()
  const refusal = error instanceof Refusal ? error : new Refusal('internal')
  const status = sendRefusal(response, refusal, wire ?? guessWire(request))
  const { code, message: reason } = refusal
  observer.refused(code)
  log.info({ code, status, reason, sandbox: lineOf(request.socket) }, 'refused')
}

/** Whose shape of an error an asker understands that named no wire. */
function guessWire({ url, headers }: IncomingMessage): Wire | null {
  if (headers['anthropic-version'] !== undefined) return 'messages'
  const isGoogle = url!.startsWith('/v1beta/') || headers['x-goog-api-key'] !== undefined
  return isGoogle ? 'gemini' : null
}
