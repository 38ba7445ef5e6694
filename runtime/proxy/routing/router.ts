// Where a call goes: its route, who is in, in which order, and who is first. A decision over what is in memory.
import type { Wire } from '../api.ts'
import type { Caller } from '../caller.ts'
import { judge, type Scoped, type Verdict } from '../policy/verdict.ts'
import type { LiveProvider } from '../providers.ts'
import { Refusal } from '../refusal.ts'
import { createHomes, type Homes, scopeOf } from './affinity.ts'
import type { Route } from './api.ts'
import { isBound, isReplayable } from './bound.ts'
import {
  type Choice,
  findOldest,
  type Looked,
  lookAtAll,
  lookAtTargets,
  takesRoute,
  toRefusal,
  type Wanted,
} from './candidates.ts'
import type { Health } from './health.ts'
import { findRoute } from './match.ts'
import { orderChoices } from './order.ts'
import { hasSlot, Plan } from './plan.ts'

/** What counts here of a body's scan. */
export type ScanFacts = {
  stream: boolean
  outputMax: { tokens: number } | null
  outputTokensMin?: number
  tools: readonly string[]
  serverTools: readonly { type: string }[]
  previousResponse: string | null
}
export type RouteAsked = {
  caller: Caller
  wire: Wire
  model: string
  scan: ScanFacts
  body: Buffer
  /** What the conversation is called (`readAffinity`). */
  affinity: string | null
  /** The provider that stores the response it goes on from (`Stored.find`). */
  storedAt?: string | null
  tags?: Readonly<Record<string, string>>
}

/** What people set, in memory. */
export type RulesInMemory = {
  routesOf(org: string): readonly Route[]
  /** The policies that hold for a caller. */
  scopedOf(caller: Pick<Caller, 'org' | 'key' | 'team' | 'sandbox'>): readonly Scoped[]
}

export type Planned = { plan: Plan; verdict: Verdict }
export type Router = {
  /** Throws the refusal. **The plan holds a slot**: whoever gets one calls `close` at last. */
  plan(asked: RouteAsked): Planned
  health: Health
}
export type RouterDeps = {
  providers: { all(): readonly LiveProvider[] }
  rules: RulesInMemory
  health: Health
  now: () => Date
  homes?: Homes
  /** 0 to 1. */
  random?: () => number
}

export function createRouter(deps: RouterDeps): Router {
  const { providers, rules, health, now, homes = createHomes(), random = Math.random } = deps

  const settle = (asked: RouteAsked, verdict: Verdict) => {
    const { caller, wire, model } = asked
    const pinned = caller.sandbox?.provider
    const wanted: Wanted = { org: caller.org, model, wire, pinned, verdict }
    const routes = takesRoute(wanted) ? rules.routesOf(caller.org) : []
    const route = routes.length === 0 ? undefined : findRoute(routes, describe(asked, verdict))
    return { wanted, route }
  }

  const orderOf = (asked: RouteAsked, route: Route, looked: readonly Looked[]): Choice[] => {
    const affinity = route.affinity === 'off' ? null : asked.affinity
    const scope = affinity === null ? null : scopeOf(asked.caller.org, asked.wire, affinity)
    const home = asked.storedAt ?? (scope === null ? undefined : homes.find(scope))
    const { strategy } = route
    const order = { strategy, affinity: scope, home, inFlight: health.inFlight, random }
    const choices = looked.filter(isIn)
    return orderChoices(choices, order)
  }

  let seen: readonly LiveProvider[] = []
  /** A provider that is gone needs no health: the state is as large as the list of providers. */
  const forgetGone = () => {
    const all = providers.all()
    if (all === seen) return
    seen = all
    health.keep(new Set(all.map(({ id }) => id)))
  }

  return {
    health,
    plan(asked) {
      forgetGone()
      const verdict = judge(toCall(asked), rules.scopedOf(asked.caller))
      const { wanted, route } = settle(asked, verdict)
      if (!route) {
        const provider = findOldest(towards(asked, wanted), providers.all())
        if (!provider) throw toRefusal(wanted, route, lookAtAll(wanted, providers.all()))
        assertStored(asked, [provider])
        const only = { provider, model: asked.model, weight: 1, order: 0 }
        if (!hasSlot(only, health)) throw new Refusal('capacity/provider', undefined, 2)
        return { verdict, plan: start(asked, undefined, [only], only) }
      }
      const looked = lookAtTargets(route, wanted, providers.all())
      const ordered = orderOf(asked, route, looked)
      if (ordered.length === 0) throw toRefusal(wanted, route, looked)
      assertStored(
        asked,
        ordered.map(({ provider }) => provider),
      )
      const staying = ordered.length > 1 && isBoundBody(asked) ? [ordered[0]!] : ordered
      return { verdict, plan: start(asked, route, staying, pickFirst(staying, health)) }
    },
  }

  function start(
    asked: RouteAsked,
    route: Route | undefined,
    choices: readonly Choice[],
    first: Choice,
  ): Plan {
    const { caller, wire, affinity } = asked
    const keepsHome = route?.affinity === 'session' && affinity !== null && route.targets.length > 1
    return new Plan({
      ...{ choices, first, route, health, now, random },
      retry: route?.retry ?? null,
      isReplayable: () => isReplayable(asked.body, wire, asked.scan),
      onHome: ({ provider }) => {
        if (keepsHome) homes.set(scopeOf(caller.org, wire, affinity), provider.name)
      },
    })
  }
}

const isIn = (looked: Looked): looked is Looked & Choice =>
  looked.out === null && looked.provider !== null

const isBoundBody = ({ body, wire, scan }: RouteAsked) => isBound(body, wire, scan)

const toCall = ({ caller, model, scan }: RouteAsked) => ({
  caller,
  model,
  facts: {
    outputTokens: scan.outputMax?.tokens ?? null,
    outputTokensMin: scan.outputTokensMin ?? 0,
    tools: scan.tools,
    serverTools: scan.serverTools.map(({ type }) => type),
  },
})

const describe = (asked: RouteAsked, { regions, retention }: Verdict) => ({
  model: asked.model,
  wire: asked.wire,
  stream: asked.scan.stream,
  tags: asked.tags ?? {},
  team: asked.caller.team,
  key: asked.caller.key,
  regions,
  retention,
})

/** A stored response pins the call where no route says more. */
const towards = ({ storedAt }: RouteAsked, wanted: Wanted): Wanted =>
  storedAt && wanted.pinned === undefined ? { ...wanted, storedAt } : wanted

/** A response is stored at one vendor's account: a call that goes on from it goes there, or nowhere. */
function assertStored({ storedAt }: RouteAsked, providers: readonly LiveProvider[]): void {
  if (!storedAt || providers.some(({ name }) => name === storedAt)) return
  const say = `The response it goes on from is stored at ${storedAt}, and this call does not go there.`
  throw new Refusal('provider/none', say)
}

/**
 * The first that is fit and has a slot. When all cool, the one that is fit again soonest, for a vendor's own answer says
 * more than ours; but when all are dead, nobody is asked.
 */
function pickFirst(choices: readonly Choice[], health: Health): Choice {
  const free = choices.filter((choice) => hasSlot(choice, health))
  const fit = free.find(({ provider }) => health.isFit(provider.id))
  if (fit) return fit
  if (choices.length > 1 && choices.every(({ provider }) => health.isDead(provider.id))) {
    throw new Refusal('upstream/credentials')
  }
  const living = free.filter(({ provider }) => !health.isDead(provider.id))
  const untilOf = ({ provider }: Choice) => health.coolingUntilMs(provider.id)
  const [soonest] = (living.length > 0 ? living : free).toSorted(
    (one, other) => untilOf(one) - untilOf(other),
  )
  if (!soonest) throw new Refusal('capacity/provider', undefined, 2)
  return soonest
}
