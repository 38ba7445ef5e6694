// Where a call would go, and why: the decision of a call, made without one, with every reason in words.
import type { UserClaims } from '#kernel/tokens.ts'
import { type Wire, wires } from '../api.ts'
import type { Caller } from '../caller.ts'
import { fault } from '../errors.ts'
import { explainPolicies, toVerdict } from '../policy/verdict.ts'
import type { LiveProvider } from '../providers.ts'
import { Refusal, toStatus } from '../refusal.ts'
import type { Candidate, Explained, ExplainedBudget, ExplainQuestion } from './api.ts'
import {
  type Looked,
  lookAtAll,
  lookAtTargets,
  reasonIn,
  takesRoute,
  wiresOf,
} from './candidates.ts'
import { findRoute } from './match.ts'
import type { RouteAsked, Router, RulesInMemory } from './router.ts'

export type ExplainDeps = {
  router: Router
  rules: RulesInMemory
  providers: { all(): readonly LiveProvider[] }
  /** A key that is good, by its id. */
  findKey(id: string, org: string): { user: string; team: string | null } | undefined
  isPriced(kind: LiveProvider['kind'], model: string): boolean
  explainBudgets(caller: Caller, model: string): readonly ExplainedBudget[]
}

export function explain(
  question: ExplainQuestion,
  claims: Pick<UserClaims, 'org' | 'sub'>,
  deps: ExplainDeps,
): Explained {
  const caller = toCaller(question, claims, deps)
  const { model } = question
  const wire = question.wire ?? findWire(caller, model, deps)
  const asked = toAsked(question, caller, wire ?? 'messages')
  const scoped = deps.rules.scopedOf(caller)
  const checks = explainPolicies(toCall(asked), scoped)
  const limits = toVerdict(caller, scoped)
  const { looked, route } = look(asked, limits, deps)
  const decided = decide(asked, deps)
  return {
    caller: { org: caller.org, user: caller.user, key: caller.key, isSandbox: !!caller.sandbox },
    ...{ model, wire },
    policy: {
      isAllowed: checks.every(({ isAllowed }) => isAllowed),
      checks,
      regions: limits.regions && [...limits.regions],
      retention: [...limits.retention],
      outputTokensMax: limits.outputTokensMax,
      logging: limits.logging,
      onClientLeft: limits.onClientLeft,
    },
    route: route
      ? {
          name: route.name,
          strategy: route.strategy,
          affinity: route.affinity,
          retry: route.retry,
          pingS: route.pingS,
        }
      : null,
    candidates: looked.map((one) => toCandidate(one, route !== undefined, deps)),
    order: decided.order,
    refusal: decided.refusal,
    budgets: deps.explainBudgets(caller, model),
  }
}

/** **Security.** Another organisation's key is as unknown as none. */
function toCaller(
  { key, sandbox, model }: ExplainQuestion,
  { org, sub }: Pick<UserClaims, 'org' | 'sub'>,
  { findKey }: ExplainDeps,
): Caller {
  const nobody = { org, user: sub, key: null, team: null, sandbox: null }
  if (sandbox) {
    const { provider } = sandbox
    const pass = { sub: 'explained', loop: 'explained', pass: 1, attempt: 1 }
    const named = { org, user: sub, model: sandbox.model, ...(provider && { provider }) }
    return { ...nobody, sandbox: { kind: 'sandbox', ...pass, ...named } }
  }
  if (key === undefined) return nobody
  const found = findKey(key, org)
  if (!found) throw fault('explain/key-absent', { detail: `${key} for ${model}` })
  return { org, user: found.user, key, team: found.team, sandbox: null }
}

function findWire({ org, sandbox }: Caller, model: string, { providers, rules }: ExplainDeps) {
  const pinned = sandbox?.provider
  const [first] = wiresOf({ org, model, pinned }, providers.all(), rules.routesOf(org))
  return first ?? wires.find((wire) => leadsAny(rules, org, model, wire)) ?? null
}

/** Routes with conditions on the caller count as well when a person asks. */
const leadsAny = (rules: RulesInMemory, org: string, model: string, wire: Wire) =>
  rules
    .routesOf(org)
    .some(
      ({ match }) =>
        (match.wires ?? wires).includes(wire) &&
        match.models.some((one) => one === model || model.startsWith(one.replace(/\*$/, ''))),
    )

const toAsked = (question: ExplainQuestion, caller: Caller, wire: Wire): RouteAsked => ({
  ...{ caller, wire, model: question.model, tags: question.tags },
  scan: {
    stream: question.stream,
    outputMax: question.outputTokens === undefined ? null : { tokens: question.outputTokens },
    tools: question.tools,
    serverTools: question.serverTools.map((type) => ({ type })),
    previousResponse: null,
  },
  body: Buffer.alloc(0),
  affinity: question.session === undefined ? null : `session:${question.session}`,
})

const toCall = ({ caller, model, scan }: RouteAsked) => ({
  caller,
  model,
  facts: {
    outputTokens: scan.outputMax?.tokens ?? null,
    tools: scan.tools,
    serverTools: scan.serverTools.map(({ type }) => type),
  },
})

type Limits = ReturnType<typeof toVerdict>

/** Also for a call that a policy forbids: it is of use to see where it would have gone. */
function look(asked: RouteAsked, verdict: Limits, { rules, providers }: ExplainDeps) {
  const { caller, model, wire, scan, tags } = asked
  const { regions, retention } = verdict
  const wanted = { org: caller.org, model, wire, pinned: caller.sandbox?.provider, verdict }
  const { key, team } = caller
  const call = { model, wire, stream: scan.stream, tags: tags ?? {}, team, key }
  const route = takesRoute(wanted)
    ? findRoute(rules.routesOf(caller.org), { ...call, regions, retention })
    : undefined
  const all = providers.all()
  return { route, looked: route ? lookAtTargets(route, wanted, all) : lookAtAll(wanted, all) }
}

function decide(asked: RouteAsked, { router }: ExplainDeps): Pick<Explained, 'order' | 'refusal'> {
  try {
    const { plan } = router.plan(asked)
    const [first, ...rest] = [plan.choice, ...plan.choices.filter((one) => one !== plan.choice)]
    plan.close() // Nothing is sent, so its slot is free again at once.
    return { order: [first!, ...rest].map(({ provider }) => provider.name), refusal: null }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code, message } = error
    return { order: [], refusal: { code, status: toStatus(code, asked.wire), message } }
  }
}

const reasons: Readonly<Record<NonNullable<Looked['out']>, string>> = {
  absent: 'no provider of the organisation has this name',
  kind: 'models of the rehearsal are served by it alone, and it serves no others',
  model: 'it does not list the model',
  wire: 'it does not speak the wire',
  region: 'it is in none of the regions that the policy asks for',
  retention: 'it lacks a label that the policy asks for',
}

function toCandidate(one: Looked, isRouted: boolean, { router, isPriced }: ExplainDeps): Candidate {
  const { name, model, out, provider, order, weight } = one
  const how = isRouted ? `a target of the route, order ${order}, weight ${weight}` : reasonIn
  return {
    ...{ provider: name, model, isIn: out === null },
    reason: out === null ? how : reasons[out],
    health: provider && { ...router.health.show(provider.id), callsMax: provider.callsMax },
    isPriced: provider && isPriced(provider.kind, model),
  }
}
