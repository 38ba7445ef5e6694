// A request's way on the model routes: framing → route → who → how often → body → what may be → booked → sent.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from '#kernel/log.ts'
import { planAdmission } from './admission.ts'
import type { Wire } from './api.ts'
import { type BodyStore, ClientLeft, collectBody } from './body.ts'
import { ModelCall } from './call.ts'
import type { Caller, Identify } from './caller.ts'
import type { ProxyConfig } from './config.ts'
import { readCredential } from './credential.ts'
import { refusalTable } from './errors.ts'
import { assertFraming, toUpstreamHeaders, withAnthropicVersion } from './headers.ts'
import type { Ledger } from './ledger.ts'
import { noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import { lineOf } from './line.ts'
import { toModelList } from './models.ts'
import { peek } from './peek.ts'
import type { Prices } from './prices.ts'
import type { LiveProvider, Providers } from './providers.ts'
import { Refusal, sendRefusal, toStatus } from './refusal.ts'
import { Relay } from './relay.ts'
import { assertPace, type Sandboxes, type SandboxState } from './sandboxes.ts'
import { readSession } from './turn.ts'
import type { Turns } from './turns.ts'

export type HandlerDeps = {
  config: ProxyConfig
  identify: Identify
  providers: Providers
  prices: Prices
  sandboxes: Sandboxes
  ledger: Ledger
  turns: Turns
  log: Logger
  now: () => Date
}
export type Handler = {
  handle: RequestListener /** Resolves when no call is in flight. */
  settled(): Promise<void>
}

const wiresByRoute: Readonly<Record<string, Wire>> = {
  'POST /v1/messages': 'messages',
  'POST /v1/chat/completions': 'chat',
  'POST /v1/responses': 'responses',
}

type Asked = { request: IncomingMessage; response: ServerResponse; wire: Wire; caller: Caller }

export function createHandler(deps: HandlerDeps): Handler {
  const { config, identify, providers, sandboxes, ledger, prices, turns, log, now } = deps
  const store: BodyStore = { bytes: 0, bytesMax: config.bodiesBytesMax }
  let inFlight = 0
  let onIdle: (() => void)[] = []

  const handle: RequestListener = (request, response) => {
    const path = request.url!.split('?', 1)[0]!
    const wire = wiresByRoute[`${request.method} ${path}`] ?? null
    answer(request, response, path, wire).catch((error: unknown) =>
      refuse(request, response, wire, error),
    )
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    wire: Wire | null,
  ) {
    assertFraming(request.rawHeaders, request.httpVersion)
    if (request.headers.upgrade?.toLowerCase() === 'websocket') throw new Refusal('upgrade/refused')
    if (request.method === 'HEAD' && path === '/') return void response.writeHead(200).end()
    const isList = request.method === 'GET' && path === '/v1/models'
    if (!isList && !wire)
      throw new Refusal('route/absent', `${request.method} ${path.slice(0, 200)}`)
    const caller = await identify(readCredential(request.rawHeaders), lineOf(request.socket))
    if (wire) return call({ request, response, wire, caller })
    const body = JSON.stringify(toModelList(caller, providers.all()))
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }

  async function call(asked: Asked): Promise<void> {
    const { request, caller } = asked
    const state = caller.sandbox ? sandboxes.get(caller.sandbox.sub) : undefined
    if (state) notePace(state)
    if (inFlight >= config.inFlightMax) throw new Refusal('capacity/full', undefined, 2)
    const leave = enter(state)
    try {
      const body = await collectBody(request, config.bodyBytesMax, store)
      try {
        send(asked, body, state, () => {
          store.bytes -= body.length
          leave()
        })
      } catch (error) {
        store.bytes -= body.length
        throw error
      }
    } catch (error) {
      leave()
      throw error
    }
  }

  function send(
    { request, response, wire, caller }: Asked,
    body: Buffer,
    state: SandboxState | undefined,
    onSettled: () => void,
  ) {
    const { model } = peek(body)
    const facts = { id: randomUUID(), caller, model, wire, beganAt: now() }
    const provider = admit(facts, state)
    const isRehearsal = provider.kind === 'rehearsal'
    const begun = toBegun(
      toFacts({ ...facts, provider: provider.name }, isRehearsal),
      provider.kind,
      body.length,
    )
    const headers = toUpstreamHeaders(request.rawHeaders, provider.vaulted)
    ledger.begin(begun) // From here on the call is booked, whatever happens.
    const session = readSession(request.headers)
    const options = {
      begun,
      caller,
      provider,
      body,
      session,
      response,
      state,
      ledger,
      prices,
      turns,
      log,
      now,
      onSettled,
    }
    const relay = new Relay(response, new ModelCall(options), config.idleMs)
    const path = provider.prefix + request.url!
    const sent = provider.kind === 'anthropic' ? withAnthropicVersion(headers) : headers
    provider.pool.dispatch({ method: 'POST', path, headers: sent, body }, relay)
  }

  /** The provider; a denial is booked, so that the pass's record shows it. */
  function admit(
    facts: { id: string; caller: Caller; model: string; wire: Wire; beganAt: Date },
    state: SandboxState | undefined,
  ): LiveProvider {
    try {
      return planAdmission({ ...facts, spent: state }, providers.all(), prices)
    } catch (error) {
      if (error instanceof Refusal && refusalTable[error.code].isDenial) {
        const { code, message } = error
        const status = toStatus(code, facts.wire)
        const ending = {
          state: 'denied',
          status,
          usage: noUsage,
          costNanoUsd: 0,
          endedAt: now(),
          error: message,
          code,
        } as const
        ledger.end(
          toEndedLine(
            toFacts({ ...facts, provider: null }, facts.model.startsWith('rehearsal/')),
            ending,
          ),
        )
      }
      throw error
    }
  }

  function notePace(state: SandboxState): void {
    const { windowMs, retryAfterS } = config.breaker
    assertPace(state, now().getTime(), windowMs, retryAfterS)
    state.lastActiveMs = now().getTime()
  }

  /** Counts a call in; what it answers counts it out. */
  function enter(state: SandboxState | undefined): () => void {
    inFlight += 1
    if (state) state.inFlight += 1
    return () => {
      inFlight -= 1
      if (state) state.inFlight -= 1
      if (inFlight > 0) return
      for (const resolve of onIdle) resolve()
      onIdle = []
    }
  }

  function refuse(
    request: IncomingMessage,
    response: ServerResponse,
    wire: Wire | null,
    error: unknown,
  ): void {
    if (error instanceof ClientLeft) return
    if (!(error instanceof Refusal)) log.error({ error }, 'a call failed in the proxy')
    const refusal = error instanceof Refusal ? error : new Refusal('internal')
    if (response.headersSent) return void response.destroy()
    const isAnthropic = wire === 'messages' || request.headers['anthropic-version'] !== undefined
    const status = sendRefusal(response, refusal, isAnthropic ? 'messages' : wire)
    log.info(
      { code: refusal.code, status, line: lineOf(request.socket), reason: refusal.message },
      'refused',
    )
  }

  const settled = () =>
    inFlight === 0 ? Promise.resolve() : new Promise<void>((resolve) => onIdle.push(resolve))
  return { handle, settled }
}
