// Every request on the model routes: framing → route → who. What it may do then is intake.ts.
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import { ClientLeft } from './body.ts'
import type { Identify } from './caller.ts'
import { readCredential } from './credential.ts'
import type { Exchange } from './exchange.ts'
import { assertGeminiQuery, assertNoCredential, readGeminiCall } from './gemini-route.ts'
import { assertFraming, findHeader } from './headers.ts'
import type { Intake } from './intake.ts'
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

export type Handle = (exchange: Exchange) => void

export function createHandler(deps: HandlerDeps): Handle {
  const { identify, intake, providers } = deps
  return (exchange) => {
    const route = findRoute(exchange)
    answer(exchange, route).catch((error: unknown) => refuse(deps, exchange, route.wire, error))
  }

  async function answer(exchange: Exchange, { path, wire, model, isCount }: Route): Promise<void> {
    assertFraming(exchange)
    const { method, target, headers, line, reply } = exchange
    if (findHeader(headers, 'upgrade')?.toLowerCase() === 'websocket')
      throw new Refusal('upgrade/refused')
    if (method === 'HEAD' && path === '/') return reply.send(200, [], '')
    const isList = method === 'GET' && isModelsPath(path)
    if (!isList && !wire) throw new Refusal('route/absent', `${method} ${path.slice(0, 200)}`)
    const isGemini = wire === 'gemini'
    if (isGemini) assertGeminiQuery(target)
    else if (isList) assertNoCredential(target)
    const found = identify(readCredential(headers, isGemini || isList), line)
    const caller = found instanceof Promise ? await found : found
    if (wire)
      return intake.take({
        exchange,
        wire,
        model,
        operation: isCount ? 'count' : 'generate',
        caller,
      })
    const read = JSON.stringify(readModels(path, caller, providers.all()))
    reply.send(200, ['content-type', 'application/json'], read)
  }
}

type Route = { path: string; wire: Wire | null; model: string | null; isCount: boolean }

/** Never throws: what has no wire is refused later, in the shape that its asker knows. */
function findRoute({ method, target }: Exchange): Route {
  const path = target.split('?', 1)[0]!
  const none = { path, wire: null, model: null, isCount: false }
  if (method !== 'POST') return none
  const wire = wiresByPath[path]
  if (wire) return { ...none, wire }
  const call = readGeminiCall(path)
  return call ? { path, wire: 'gemini', ...call } : none
}

function refuse(
  { log, observer }: HandlerDeps,
  exchange: Exchange,
  wire: Wire | null,
  error: unknown,
): void {
  const { reply, line: sandbox } = exchange
  if (error instanceof ClientLeft) return
  if (!(error instanceof Refusal)) log.error({ error }, 'a call failed in the proxy')
  if (reply.isBegun) return void reply.reset()
  const refusal = error instanceof Refusal ? error : new Refusal('internal')
  const status = sendRefusal(reply, refusal, wire ?? guessWire(exchange))
  const { code, message: reason } = refusal
  observer.refused(code)
  log.info({ code, status, reason, sandbox }, 'refused')
}

/** Whose shape of an error an asker understands that named no wire. */
function guessWire({ target, headers }: Exchange): Wire | null {
  if (findHeader(headers, 'anthropic-version') !== undefined) return 'messages'
  const isGoogle =
    target.startsWith('/v1beta/') || findHeader(headers, 'x-goog-api-key') !== undefined
  return isGoogle ? 'gemini' : null
}
