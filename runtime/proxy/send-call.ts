// A call's way out, once its request is read: scanned → allowed and placed → held in its budgets → booked → sent.
import { randomUUID } from 'node:crypto'
import type { AlikeBody } from './bodies.ts'
import { ClientLeft } from './body.ts'
import { planBound } from './bound.ts'
import type { Reservation } from './budgets/reservation.ts'
import { ModelCall } from './call.ts'
import { toSpender } from './caller.ts'
import { refusalTable } from './errors.ts'
import { findHeader } from './headers.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { type FactsOf, noUsage, toBegun, toEndedLine, toFacts } from './ledger-line.ts'
import { type Changes, toOutgoing } from './outgoing.ts'
import { withPings } from './pings.ts'
import { type Attribution, readAttribution } from './policy/tags.ts'
import type { Verdict } from './policy/verdict.ts'
import { rehearsalPrefix } from './providers.ts'
import { Refusal, toStatus } from './refusal.ts'
import { Relay } from './relay.ts'
import { readAffinity } from './routing/affinity.ts'
import { toAttempts } from './routing/attempts.ts'
import type { Plan } from './routing/plan.ts'
import { toSandboxCaps } from './sandboxes.ts'
import { type Scan, scan } from './scan.ts'
import { readSession } from './turn.ts'
import type { ResponseHead } from './upstream/response.ts'
import { canTakeUsageOut, createUsageRemover } from './wires/include-usage.ts'

type Known = Omit<FactsOf, 'provider'>
type Read = {
  asked: Asked
  held: Held
  scanned: Scan
  said: Attribution
  session: string
  alike: AlikeBody | null
}
type Admitted = { plan: Plan; verdict: Verdict; reservation: Reservation; changes: Changes }

export async function sendCall(deps: IntakeDeps, asked: Asked, held: Held): Promise<void> {
  const { exchange, wire, caller } = asked
  const session = toSessionKey(asked)
  const alike = deps.bodies.find(session, held.body)
  const trail = alike?.known.trail
  const scanned = scan(held.body, asked, trail ? { trail, bytes: alike.bytes } : null)
  const said = readAttribution(exchange.headers, scanned.endUser)
  const { model } = scanned
  const known = { id: randomUUID(), caller, model, wire, beganAt: deps.now(), said }
  const read = { asked, held, scanned, said, session, alike }
  const admitted = await admit(deps, known, read)
  try {
    await send(deps, known, read, admitted)
  } catch (error) {
    admitted.reservation.release()
    admitted.plan.close()
    throw error
  }
}

async function send(deps: IntakeDeps, known: Known, read: Read, admitted: Admitted) {
  const { asked, held, scanned, alike } = read
  const { plan, verdict, reservation, changes } = admitted
  const { exchange, caller } = asked
  const { reply } = exchange
  const { provider } = plan.choice
  if (reply.isGone) throw new ClientLeft() // It left while its budgets were waited for.
  const facts = toFacts({ ...known, provider: provider.name }, provider.kind === 'rehearsal')
  const begun = toBegun(facts, provider.kind, held.body.length, reservation.toLine())
  await deps.ledger.begin(begun) // From here on the call is booked, whatever happens.
  const kept = { call: known.id, body: held.body, trail: scanned.trail }
  const body = deps.bodies.keep(read.session, kept, alike)
  const session = readSession(exchange.headers)
  const { answerHeaders, idleMs: stallMs } = deps.config
  const { operation } = asked
  const shown = { reply, headers: exchange.headers, operation, answerHeaders }
  const before = { session, known: body, alike }
  const options = { begun, caller, plan, reservation, verdict, ...before, ...shown, ...held }
  const call = new ModelCall(options, deps)
  if (reply.isGone) return call.end('unsent', null, null)
  const outgoing = { asked, held, scanned, changes }
  const attempts = toAttempts(plan, (choice) => toOutgoing(choice, outgoing), {
    isCounted: reservation.isCounted,
    tried: (end) => call.tried(end),
  })
  const createFilter = changes.isUsageWanted ? createUsageFilter : undefined
  const drains = verdict.onClientLeft === 'drain' ? held.drains : null
  const pingMs = plan.route?.pingS ? plan.route.pingS * 1_000 : null
  const told = withPings(call.reply, pingMs, { wire: known.wire, headers: exchange.headers })
  new Relay({ reply: told, watcher: call, attempts, stallMs, drains, createFilter }).start()
}

/** What a body can go on from: the same is read of it, and the same session said it. */
function toSessionKey({ exchange, caller, wire, operation, model }: Asked): string {
  const session =
    caller.sandbox?.sub ??
    `${caller.org} ${caller.key ?? caller.user} ${readSession(exchange.headers)}`
  return `${wire} ${operation} ${model} ${session}`
}

/** The usage that the client did not ask for is not shown to it. */
const createUsageFilter = ({ headers }: ResponseHead) =>
  canTakeUsageOut(findHeader(headers, 'content-type'), findHeader(headers, 'content-encoding'))
    ? createUsageRemover()
    : null

/** Where it goes, and what it holds. A denial is booked, so that the pass's record shows it. */
async function admit(deps: IntakeDeps, known: Known, read: Read): Promise<Admitted> {
  try {
    const { plan, verdict } = await place(deps, known, read)
    try {
      const reservation = await reserve(deps, known, { ...read, plan, verdict })
      return { plan, verdict, reservation, changes: toChanges(read.scanned, verdict, reservation) }
    } catch (error) {
      plan.close()
      throw error
    }
  } catch (error) {
    if (error instanceof Refusal && refusalTable[error.code].isDenial) deny(deps, known, error)
    throw error
  }
}

async function place({ router, stored }: IntakeDeps, known: Known, read: Read) {
  const { asked, held, scanned, said } = read
  const { caller, model, wire } = known
  const { previousResponse: from, promptCacheKey } = scanned
  if (scanned.conversation !== null) throw new Refusal('conversation/absent')
  const storedAt = from === null ? null : await stored.find(from, caller.org)
  const asker = { loop: caller.sandbox?.loop ?? null, promptCacheKey, endUser: said.endUser }
  const affinity = readAffinity(asked.exchange.headers, asker)
  const { body } = held
  const { tags } = said
  return router.plan({ caller, wire, model, scan: scanned, body, affinity, storedAt, tags })
}

type Placed = Read & Pick<Admitted, 'plan' | 'verdict'>

function reserve({ budgets, prices }: IntakeDeps, { caller, model }: Known, placed: Placed) {
  const { asked, held, scanned, plan, verdict } = placed
  const { operation } = asked
  const { outputTokensMax } = verdict
  const places = plan.choices
  const bound = planBound({ scan: scanned, operation, places, outputTokensMax }, prices)
  const { state } = held
  const caps = state && caller.sandbox ? toSandboxCaps(state, caller.sandbox) : undefined
  return budgets.reserve(toSpender(caller, model), bound.boundOf, bound.wanted, caps)
}

/** A policy's bound and a budget's: the lower one, where it is lower than what the client asks for. */
function toChanges(
  { outputMax, usageSlot }: Scan,
  verdict: Verdict,
  reservation: Reservation,
): Changes {
  const bounds = [verdict.outputTokensMax, reservation.outputTokensMax].filter(
    (one) => one !== null,
  )
  const lowest = bounds.length === 0 ? null : Math.min(...bounds)
  const isAsked = lowest === null || (outputMax !== null && outputMax.tokens <= lowest)
  return { outputTokensMax: isAsked ? null : lowest, isUsageWanted: usageSlot !== null }
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
