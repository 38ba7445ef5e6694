// A model call's way in, once it is known who asks: how often → body → its kind's way out.
import type { Logger } from '#kernel/log.ts'
import type { Operation, Wire } from './api.ts'
import type { Bodies } from './bodies.ts'
import type { BodyStore } from './body.ts'
import type { Budgets } from './budgets/budgets.ts'
import type { Caller } from './caller.ts'
import type { GatewayConfig } from './config.ts'
import { sendCount } from './count.ts'
import { createDrains, type Drains } from './drains.ts'
import { decodeBody, readEncoding } from './encoding.ts'
import type { Exchange } from './exchange.ts'
import type { Ledger } from './ledger.ts'
import type { Arrival } from './observe/call-watch.ts'
import type { Observer } from './observe/observer.ts'
import { createBreaker } from './pace.ts'
import type { Prices } from './prices/prices.ts'
import type { Providers } from './providers.ts'
import { Refusal } from './refusal.ts'
import type { Router } from './routing/router.ts'
import type { Stored } from './routing/stored.ts'
import type { Sandboxes, SandboxState } from './sandboxes.ts'
import { sendCall } from './send-call.ts'
import { sendStored } from './stored.ts'
import type { Turns } from './turns.ts'

export type IntakeDeps = {
  config: GatewayConfig
  providers: Providers
  prices: Prices
  sandboxes: Sandboxes
  ledger: Ledger
  budgets: Budgets
  router: Router
  stored: Stored
  turns: Turns
  bodies: Bodies
  observer: Observer
  log: Logger
  now: () => Date
}
export type Asked = {
  exchange: Exchange
  wire: Wire
  operation: Operation
  /** Where the path names it; else the body does. */
  model: string | null
  /** Path and query as the vendor has them, without a credential. */
  target: string
  storedId: string | null
  caller: Caller
}
export type Held = {
  arrival: Arrival
  /** Unpacked. */
  body: Buffer
  /** As it came. */
  packed: Buffer
  state: SandboxState | undefined
  onSettled: () => void
  drains: Drains
}

export type Intake = {
  /** Resolves when the call is on its way. Throws the refusal otherwise, with nothing sent. */
  take(asked: Asked): Promise<void>
  /** No client is left: cuts what runs on without one, and resolves when no call is in flight. */
  end(): Promise<void>
}

export function createIntake(deps: IntakeDeps): Intake {
  const { config, sandboxes, now } = deps
  const store: BodyStore = { bytes: 0, bytesMax: config.bodiesBytesMax }
  const crowd = createCrowd(config.inFlightMax)
  const breaker = createBreaker(config.breaker)
  const drains = createDrains(config.clientLeft)
  return {
    end() {
      drains.close()
      return crowd.settled()
    },
    async take(asked) {
      const { exchange, caller } = asked
      const atMs = performance.now()
      const state = caller.sandbox ? sandboxes.get(caller.sandbox.sub) : undefined
      if (state) breaker.sandbox(state.pace, atMs)
      else if (caller.key !== null) breaker.key(caller.key, atMs)
      if (state) state.lastActiveMs = now().getTime()
      const leave = crowd.enter(state)
      let bytes = 0
      const onSettled = () => {
        store.bytes -= bytes
        leave()
      }
      try {
        if (asked.operation === 'stored') {
          return await sendStored(deps, asked, { arrival: { atMs, bodyMs: 0 }, onSettled })
        }
        const encoding = readEncoding(exchange.headers)
        const packed = await exchange.readBody(config.bodyBytesMax, store)
        bytes = packed.length
        const arrival = { atMs, bodyMs: performance.now() - atMs }
        const body = encoding ? await decodeBody(packed, encoding, config.bodyBytesMax) : packed
        if (body !== packed) {
          store.bytes += body.length
          bytes += body.length
        }
        const forward = asked.operation === 'count' ? sendCount : sendCall
        await forward(deps, asked, { arrival, body, packed, state, drains, onSettled })
      } catch (error) {
        onSettled()
        throw error
      }
    },
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
