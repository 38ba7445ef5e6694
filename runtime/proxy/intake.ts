// A model call's way in, once it is known who asks: how often → body → what may be → booked → sent.
import { randomUUID } from 'node:crypto'
import type { Logger } from '#kernel/log.ts'
import { planAdmission } from './admission.ts'
import type { Wire } from './api.ts'
import { assertPlain, type BodyStore } from './body.ts'
import { ModelCall } from './call.ts'
import type { Caller } from './caller.ts'
import type { GatewayConfig } from './config.ts'
import { watchCount } from './count.ts'
import { refusalTable } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { toUpstreamHeaders, withAnthropicVersion } from './headers.ts'
import type { Ledger } from './ledger.ts'
import { type FactsOf, noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import type { Arrival } from './observe/call-watch.ts'
import type { Observer } from './observe/observer.ts'
import type { Prices } from './prices.ts'
import { type LiveProvider, type Providers, rehearsalPrefix } from './providers.ts'
import { Refusal, toStatus } from './refusal.ts'
import { Relay } from './relay.ts'
import { assertPace, type Sandboxes, type SandboxState } from './sandboxes.ts'
import { scan } from './scan.ts'
import { readSession } from './turn.ts'
import type { Turns } from './turns.ts'

export type IntakeDeps = {
  config: GatewayConfig
  providers: Providers
  prices: Prices
  sandboxes: Sandboxes
  ledger: Ledger
  turns: Turns
  observer: Observer
  log: Logger
  now: () => Date
}
export type Asked = {
  exchange: Exchange
  wire: Wire
  /** Where the path names it; else the body does. */
  model: string | null
  /** Asks how many tokens something has, which costs nothing: it is forwarded, and not booked. */
  isCount: boolean
  caller: Caller
}
type Held = {
  arrival: Arrival
  body: Buffer
  state: SandboxState | undefined
  onSettled: () => void
}

export type Intake = {
  /** Resolves when the call is on its way. Throws the refusal otherwise, with nothing sent. */
  take(asked: Asked): Promise<void>
  /** Resolves when no call is in flight. */
  settled(): Promise<void>
}

export function createIntake(deps: IntakeDeps): Intake {
  const { config, sandboxes, now } = deps
  const store: BodyStore = { bytes: 0, bytesMax: config.bodiesBytesMax }
  const crowd = createCrowd(config.inFlightMax)
  return {
    settled: crowd.settled,
    async take(asked) {
      const { exchange, caller } = asked
      const atMs = performance.now()
      const state = caller.sandbox ? sandboxes.get(caller.sandbox.sub) : undefined
      if (state) assertPace(state, now().getTime(), config.breaker)
      const leave = crowd.enter(state)
      let bytes = 0
      const onSettled = () => {
        store.bytes -= bytes
        leave()
      }
      try {
        assertPlain(exchange.headers)
        const body = await exchange.readBody(config.bodyBytesMax, store)
        bytes = body.length
        const arrival = { atMs, bodyMs: performance.now() - atMs }
        const forward = asked.isCount ? sendCount : send
        forward(deps, asked, { arrival, body, state, onSettled })
      } catch (error) {
        onSettled()
        throw error
      }
    },
  }
}

function send(deps: IntakeDeps, asked: Asked, held: Held): void {
  const { exchange, wire, caller } = asked
  const { headers: raw, reply, target } = exchange
  const { body } = held
  const { model } = scan(body, { wire, operation: 'generate', model: asked.model })
  const known = { id: randomUUID(), caller, model, wire, beganAt: deps.now() }
  const provider = admit(deps, known, held.state)
  const { kind, vaulted } = provider
  const headers = toUpstreamHeaders(raw, vaulted)
  const sent = kind === 'anthropic' ? withAnthropicVersion(headers) : headers
  const session = readSession(raw)
  const facts = toFacts({ ...known, provider: provider.name }, kind === 'rehearsal')
  const begun = toBegun(facts, kind, body.length)
  deps.ledger.begin(begun) // From here on the call is booked, whatever happens.
  const { answerHeaders, idleMs } = deps.config
  const parts = { begun, caller, provider, session, reply, headers: raw, answerHeaders }
  const call = new ModelCall({ ...parts, ...held }, deps)
  const relay = new Relay(call.reply, call, idleMs)
  const path = provider.prefix + target
  provider.pool.dispatch({ method: 'POST', path, headers: sent, body }, relay)
}

function sendCount(deps: IntakeDeps, asked: Asked, held: Held): void {
  const { exchange, wire, caller } = asked
  const { providers, prices, config, log } = deps
  const { headers: raw, reply, target } = exchange
  const { model } = scan(held.body, { wire, operation: 'count', model: asked.model })
  const spent = held.state
  const provider = planAdmission({ caller, wire, model, spent }, providers.all(), prices)
  const watcher = watchCount({ reply, wire, log, onSettled: held.onSettled })
  const headers = toUpstreamHeaders(raw, provider.vaulted)
  const path = provider.prefix + target
  const relay = new Relay(reply, watcher, config.idleMs)
  provider.pool.dispatch({ method: 'POST', path, headers, body: held.body }, relay)
}

/** The provider; a denial is booked, so that the pass's record shows it. */
function admit(
  { providers, prices, ledger, now }: IntakeDeps,
  known: Omit<FactsOf, 'provider'>,
  state: SandboxState | undefined,
): LiveProvider {
  try {
    return planAdmission({ ...known, spent: state }, providers.all(), prices)
  } catch (error) {
    if (!(error instanceof Refusal) || !refusalTable[error.code].isDenial) throw error
    const { code, message } = error
    const isRehearsal = known.model.startsWith(rehearsalPrefix)
    const { head } = toBegun(toFacts({ ...known, provider: null }, isRehearsal), 'rehearsal', 0)
    const status = toStatus(code, known.wire)
    const cost = { usage: noUsage, costNanoUsd: 0 }
    const ending = {
      state: 'denied',
      status,
      endedAt: now(),
      error: message,
      code,
      ...cost,
    } as const
    ledger.end(known.id, toEndedLine(head, ending))
    throw error
  }
}

/** Counts calls in and out, overall and by sandbox. */
function createCrowd(inFlightMax: number) {
  let inFlight = 0
  let onIdle: (() => void)[] = []
  return {
    enter(state: SandboxState | undefined): () => void {
      if (inFlight >= inFlightMax) throw new Refusal('capacity/full', undefined, 2)
      inFlight += 1
      if (state) state.inFlight += 1
      return () => {
        inFlight -= 1
        if (state) state.inFlight -= 1
        if (inFlight > 0) return
        for (const resolve of onIdle) resolve()
        onIdle = []
      }
    },
    settled: () =>
      inFlight === 0 ? Promise.resolve() : new Promise<void>((resolve) => onIdle.push(resolve)),
  }
}
