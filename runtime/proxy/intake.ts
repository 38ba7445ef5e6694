// A model call's way in, once it is known who asks: how often → body → what may be → booked → sent.
import type { Logger } from '#kernel/log.ts'
import { planAdmission } from './admission.ts'
import type { Operation, Wire } from './api.ts'
import { assertPlain, type BodyStore } from './body.ts'
import type { Budgets } from './budgets/budgets.ts'
import type { Caller } from './caller.ts'
import type { GatewayConfig } from './config.ts'
import { watchCount } from './count.ts'
import type { Exchange } from './exchange.ts'
import { toUpstreamHeaders } from './headers.ts'
import type { Ledger } from './ledger.ts'
import type { Arrival } from './observe/call-watch.ts'
import type { Observer } from './observe/observer.ts'
import type { Prices } from './prices/prices.ts'
import type { Providers } from './providers.ts'
import { Refusal } from './refusal.ts'
import { Relay } from './relay.ts'
import { assertPace, type Sandboxes, type SandboxState } from './sandboxes.ts'
import { scan } from './scan.ts'
import { sendCall } from './send-call.ts'
import type { Turns } from './turns.ts'

export type IntakeDeps = {
  config: GatewayConfig
  providers: Providers
  prices: Prices
  sandboxes: Sandboxes
  ledger: Ledger
  budgets: Budgets
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
  operation: Operation
  caller: Caller
}
export type Held = {
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
        const forward = asked.operation === 'count' ? sendCount : sendCall
        await forward(deps, asked, { arrival, body, state, onSettled })
      } catch (error) {
        onSettled()
        throw error
      }
    },
  }
}

function sendCount(deps: IntakeDeps, asked: Asked, held: Held): void {
  const { exchange, wire, caller } = asked
  const { providers, config, log } = deps
  const { headers: raw, reply, target } = exchange
  const { model } = scan(held.body, { wire, operation: 'count', model: asked.model })
  const provider = planAdmission({ caller, wire, model }, providers.all())
  const watcher = watchCount({ reply, wire, log, onSettled: held.onSettled })
  const headers = toUpstreamHeaders(raw, provider.vaulted)
  const path = provider.prefix + target
  const relay = new Relay(reply, watcher, config.idleMs)
  provider.pool.dispatch({ method: 'POST', path, headers, body: held.body }, relay)
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
