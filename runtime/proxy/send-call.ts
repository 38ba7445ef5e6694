// A call's way out, once its request is read: scanned → allowed and placed → held in its budgets → booked → sent.
import { randomUUID } from 'node:crypto'
import { ClientLeft } from './body.ts'
import { planBound } from './bound.ts'
import type { Purse, SandboxCaps } from './budgets/fit.ts'
import type { Reservation } from './budgets/reservation.ts'
import { ModelCall } from './call.ts'
import type { Caller } from './caller.ts'
import { refusalTable } from './errors.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { type FactsOf, noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import { lower } from './policy/verdict.ts'
import { rehearsalPrefix } from './providers.ts'
import { Refusal, toStatus } from './refusal.ts'
import { Relay } from './relay.ts'
import { type Placed, placeCall } from './routing/place.ts'
import { toTarget } from './routing/target.ts'
import { watchPlan } from './routing/watch-plan.ts'
import { type Scan, scan } from './scan.ts'
import { readSession } from './turn.ts'

export async function sendCall(deps: IntakeDeps, asked: Asked, held: Held): Promise<void> {
  const { exchange, wire, caller } = asked
  const scanned = scan(held.body, asked)
  const known = { id: randomUUID(), caller, model: scanned.model, wire, beganAt: deps.now() }
  const { placed, reservation } = await admit(deps, known, { asked, scanned, held })
  const { plan, verdict } = placed
  try {
    const { provider, model } = plan.choice
    const { kind } = provider
    const facts = toFacts({ ...known, provider: provider.name }, kind === 'rehearsal')
    if (exchange.reply.isGone) throw new ClientLeft()
    const begun = toBegun(facts, kind, held.body.length, reservation.toLine())
    await deps.ledger.begin(begun) // From here on the call is booked, whatever happens.
    const session = readSession(exchange.headers)
    const { headers, target, reply } = exchange
    const onStored = (id: string) => deps.stored.record(id, caller.org, provider.name)
    const told = { session, pricedAs: model, logging: verdict.logging }
    const isKept = scanned.store !== false
    const call = new ModelCall(
      {
        begun,
        caller,
        provider,
        reply,
        reservation,
        ...told,
        ...(isKept && { onStored }),
        ...held,
      },
      deps,
    )
    const watcher = watchPlan(plan, call)
    if (reply.isGone) {
      plan.close()
      return call.end('unsent', null, null)
    }
    const most = lower(verdict.outputTokensMax, reservation.outputTokensMax)
    const sent = { target, headers, body: held.body, scan: scanned, outputTokensMax: most }
    const { provider: _, ...request } = toTarget(plan.choice, sent)
    const relay = new Relay(reply, watcher, deps.config.idleMs)
    provider.pool.dispatch({ method: 'POST', ...request }, relay)
  } catch (error) {
    plan.close()
    reservation.release()
    throw error
  }
}

type Known = Omit<FactsOf, 'provider'>
type Read = { asked: Asked; scanned: Scan; held: Held }

/** Where it goes, and what it holds. A denial is booked, so that the pass's record shows it. */
async function admit(deps: IntakeDeps, known: Known, read: Read) {
  try {
    const placed = await placeCall(deps, read.asked, read.scanned, read.held.body)
    try {
      return { placed, reservation: await reserve(deps, known, { ...read, placed }) }
    } catch (error) {
      placed.plan.close()
      throw error
    }
  } catch (error) {
    if (error instanceof Refusal && refusalTable[error.code].isDenial) deny(deps, known, error)
    throw error
  }
}

function reserve(
  { budgets, prices }: IntakeDeps,
  { caller, model }: Known,
  { asked, scanned, held, placed }: Read & { placed: Placed },
): Reservation | Promise<Reservation> {
  const bound = planBound(
    {
      scan: scanned,
      operation: asked.operation,
      places: placed.plan.choices,
      outputTokensMax: placed.verdict.outputTokensMax,
    },
    prices,
  )
  const caps = held.state && toCaps(caller, held.state)
  return budgets.reserve(toSpender(caller, model), bound.boundOf, bound.wanted, caps)
}

const toSpender = ({ org, user, key, sandbox }: Caller, model: string) => ({
  org,
  team: null,
  user,
  key,
  loop: sandbox?.loop ?? null,
  sandbox: sandbox?.sub ?? null,
  model,
})

function toCaps({ sandbox }: Caller, purse: Purse): SandboxCaps | undefined {
  if (sandbox?.nanoUsdMax === undefined && sandbox?.tokensMax === undefined) return undefined
  const { nanoUsdMax, tokensMax } = sandbox
  return {
    purse,
    ...(nanoUsdMax !== undefined && { nanoUsdMax }),
    ...(tokensMax !== undefined && { tokensMax }),
  }
}

function deny({ ledger, now }: IntakeDeps, known: Known, { code, message }: Refusal): void {
  const isRehearsal = known.model.startsWith(rehearsalPrefix)
  const { head } = toBegun(toFacts({ ...known, provider: null }, isRehearsal), 'rehearsal', 0)
  const ending = {
    state: 'denied',
    status: toStatus(code, known.wire),
    endedAt: now(),
    error: message,
    code,
    usage: noUsage,
    costNanoUsd: 0,
  } as const
  ledger.end(known.id, toEndedLine(head, ending))
}
