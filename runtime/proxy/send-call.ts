// A call's way out, once its request is read: scanned → allowed and placed → held in its budgets → booked → sent.
import { randomUUID } from 'node:crypto'
import { planAdmission } from './admission.ts'
import { ClientLeft } from './body.ts'
import { planBound } from './bound.ts'
import type { Purse, SandboxCaps } from './budgets/fit.ts'
import type { Reservation } from './budgets/reservation.ts'
import { ModelCall } from './call.ts'
import type { Caller } from './caller.ts'
import { refusalTable } from './errors.ts'
import { toUpstreamHeaders, withAnthropicVersion } from './headers.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { type FactsOf, noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import { type LiveProvider, rehearsalPrefix } from './providers.ts'
import { Refusal, toStatus } from './refusal.ts'
import { Relay } from './relay.ts'
import { applyEdits, planOutputEdits } from './scan/edits.ts'
import { type Scan, scan } from './scan.ts'
import { readSession } from './turn.ts'

export async function sendCall(deps: IntakeDeps, asked: Asked, held: Held): Promise<void> {
  const { exchange, wire, caller } = asked
  const scanned = scan(held.body, asked)
  const known = { id: randomUUID(), caller, model: scanned.model, wire, beganAt: deps.now() }
  const { provider, reservation } = await admit(deps, known, { asked, scanned, held })
  try {
    const { kind, vaulted } = provider
    const headers = toUpstreamHeaders(exchange.headers, vaulted)
    const sent = kind === 'anthropic' ? withAnthropicVersion(headers) : headers
    const body = toSent(held.body, scanned, reservation)
    const facts = toFacts({ ...known, provider: provider.name }, kind === 'rehearsal')
    if (exchange.reply.isGone) throw new ClientLeft()
    const begun = toBegun(facts, kind, held.body.length, reservation.toLine())
    await deps.ledger.begin(begun) // From here on the call is booked, whatever happens.
    const session = readSession(exchange.headers)
    const { reply, headers: asCame } = exchange
    const { answerHeaders, idleMs } = deps.config
    const parts = { begun, caller, provider, session, reply, reservation }
    const call = new ModelCall({ ...parts, headers: asCame, answerHeaders, ...held }, deps)
    if (reply.isGone) return call.end('unsent', null, null)
    const relay = new Relay(call.reply, call, idleMs)
    const path = provider.prefix + exchange.target
    provider.pool.dispatch({ method: 'POST', path, headers: sent, body }, relay)
  } catch (error) {
    reservation.release()
    throw error
  }
}

/** The body with no change but those of scan/edits.ts. */
function toSent(body: Buffer, scanned: Scan, { outputTokensMax }: Reservation): Buffer {
  if (outputTokensMax === null) return body
  return applyEdits(body, planOutputEdits(scanned, outputTokensMax))
}

type Known = Omit<FactsOf, 'provider'>
type Read = { asked: Asked; scanned: Scan; held: Held }

/** Where it goes, and what it holds. A denial is booked, so that the pass's record shows it. */
async function admit(deps: IntakeDeps, known: Known, read: Read) {
  try {
    const provider = planAdmission(known, deps.providers.all())
    return { provider, reservation: await reserve(deps, known, { ...read, provider }) }
  } catch (error) {
    if (error instanceof Refusal && refusalTable[error.code].isDenial) deny(deps, known, error)
    throw error
  }
}

function reserve(
  { budgets, prices }: IntakeDeps,
  { caller, model }: Known,
  { asked, scanned, held, provider }: Read & { provider: LiveProvider },
): Reservation | Promise<Reservation> {
  const bound = planBound(
    {
      scan: scanned,
      operation: asked.operation,
      places: [{ provider, model }],
      outputTokensMax: null,
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
