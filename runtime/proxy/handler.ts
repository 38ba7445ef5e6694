// Every request on the model routes: framing → route → who. What it may do then is intake.ts.
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import { ClientLeft } from './body.ts'
import type { Identify } from './caller.ts'
import { readCredential, takeQueryKeys } from './credential.ts'
import type { Exchange } from './exchange.ts'
import { assertGeminiQuery, assertNoCredential } from './gemini-route.ts'
import { assertFraming, findHeader } from './headers.ts'
import type { Intake } from './intake.ts'
import { readModels } from './models.ts'
import type { Providers } from './providers.ts'
import { Refusal, sendRefusal } from './refusal.ts'
import { findRoute, type Route } from './route.ts'
import type { RulesInMemory } from './routing/router.ts'

type HandlerDeps = {
  identify: Identify
  intake: Intake
  providers: Providers
  rules: RulesInMemory
  log: Logger
}

export type Handle = (exchange: Exchange) => void

export function createHandler(deps: HandlerDeps): Handle {
  const { identify, intake, providers, rules, log } = deps
  return (exchange) => {
    const [path = ''] = exchange.target.split('?', 1)
    const route = findRoute(exchange.method, path)
    answer(exchange, route).catch((error: unknown) => refuse(log, exchange, route.wire, error))
  }

  async function answer(exchange: Exchange, route: Route): Promise<void> {
    assertFraming(exchange)
    const { headers, line, reply } = exchange
    if (findHeader(headers, 'upgrade')?.toLowerCase() === 'websocket')
      throw new Refusal('upgrade/refused')
    if (route.kind === 'hello') return reply.send(200, [], '')
    if (route.kind === 'absent') throw new Refusal('route/absent', route.say)
    const { target, keys } = takeQueryKeys(exchange.target)
    const { wire } = route
    if (wire === 'gemini') assertGeminiQuery(target)
    else if (route.kind === 'models') assertNoCredential(target)
    const found = identify(readCredential({ headers, keys }, wire), line, headers)
    const caller = found instanceof Promise ? await found : found
    if (route.kind !== 'models') return intake.take({ exchange, caller, ...toAsked(route, target) })
    const read = JSON.stringify(readModels(route.path, caller, providers.all(), rules))
    reply.send(200, ['content-type', 'application/json'], read)
  }
}

type Sent = Extract<Route, { kind: 'call' | 'stored' }>

function toAsked(route: Sent, target: string) {
  const at = target.indexOf('?')
  const sent = { wire: route.wire, target: at < 0 ? route.path : route.path + target.slice(at) }
  return route.kind === 'call'
    ? { ...sent, operation: route.operation, model: route.model, storedId: null }
    : { ...sent, operation: 'stored' as const, model: null, storedId: route.id }
}

function refuse(log: Logger, exchange: Exchange, wire: Wire | null, error: unknown): void {
  const { reply, line: sandbox } = exchange
  if (error instanceof ClientLeft) return
  if (!(error instanceof Refusal)) log.error({ error }, 'a call failed in the proxy')
  if (reply.isBegun) return void reply.reset()
  const refusal = error instanceof Refusal ? error : new Refusal('internal')
  const status = sendRefusal(reply, refusal, wire ?? guessWire(exchange))
  const { code, message: reason } = refusal
  log.info({ code, status, reason, sandbox }, 'refused')
}

/** Whose shape of an error an asker understands that named no wire. */
function guessWire({ target, headers }: Exchange): Wire | null {
  if (findHeader(headers, 'anthropic-version') !== undefined) return 'messages'
  const isGoogle =
    target.startsWith('/v1beta/') || findHeader(headers, 'x-goog-api-key') !== undefined
  return isGoogle ? 'gemini' : null
}
