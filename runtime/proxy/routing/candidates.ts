// Who could serve a call: every provider that is looked at, and why it is out where it is. Explained as it is decided.
import { type Wire, wires } from '../api.ts'
import type { Verdict } from '../policy/verdict.ts'
import { type LiveProvider, rehearsalPrefix, speaks } from '../providers.ts'
import { Refusal } from '../refusal.ts'
import type { Route } from './api.ts'

/** `model` is what it is called there. */
export type Choice = { provider: LiveProvider; model: string; weight: number; order: number }
export type Looked = Omit<Choice, 'provider'> & {
  name: string
  provider: LiveProvider | null
  /** Why not; null = it could. */
  out: 'absent' | 'kind' | 'model' | 'wire' | 'region' | 'retention' | null
}
export type Wanted = {
  org: string
  model: string
  wire: Wire
  /** The provider that the sandbox's token names. */
  pinned: string | undefined
  /** The provider that stores the response that the call goes on from. */
  storedAt?: string
  verdict: Pick<Verdict, 'regions' | 'retention'>
}

const isRehearsal = (model: string) => model.startsWith(rehearsalPrefix)

/** A pin and the rehearsal go around routes: the first is the loop's own choice, the second nobody else's model. */
export const takesRoute = ({ model, pinned }: Pick<Wanted, 'model' | 'pinned'>) =>
  pinned === undefined && !isRehearsal(model)

/** The targets of a route, each looked at. */
export const lookAtTargets = (
  route: Route,
  wanted: Wanted,
  providers: readonly LiveProvider[],
): Looked[] =>
  route.targets.map(({ provider: name, model = wanted.model, weight, order }) => {
    const provider = providers.find((one) => one.org === wanted.org && one.name === name) ?? null
    const out = provider ? findReason(provider, wanted) : 'absent'
    return { name, provider, model, weight, order, out }
  })

/** Without a route: the organisation's providers, the oldest first, then the rehearsal. The first that is in serves. */
export const lookAtAll = (wanted: Wanted, providers: readonly LiveProvider[]): Looked[] =>
  providers
    .filter(({ org, name }) => isOwn(org, wanted) && (wanted.pinned ?? name) === name)
    .map((provider) => ({
      ...{ name: provider.name, provider, model: wanted.model, weight: 1, order: 0 },
      out: lists(provider, wanted) ? findReason(provider, wanted) : 'model',
    }))

/** The same as the first that is in of `lookAtAll`, without a list: most calls come this way. */
export const findOldest = (
  wanted: Wanted,
  providers: readonly LiveProvider[],
): LiveProvider | undefined =>
  providers.find(
    (provider) =>
      isOwn(provider.org, wanted) &&
      (wanted.pinned ?? wanted.storedAt ?? provider.name) === provider.name &&
      lists(provider, wanted) &&
      findReason(provider, wanted) === null,
  )

const isOwn = (org: string | null, wanted: Wanted) => org === null || org === wanted.org

/** A pinned provider serves the models it lists, or any when it lists none. */
const lists = ({ kind, models }: LiveProvider, { model, pinned }: Wanted) =>
  kind === 'rehearsal' || models.has(model) || (pinned !== undefined && models.size === 0)

/** **Security.** Rehearsal serves its own models and nothing else, and nobody else serves those. */
function findReason(provider: LiveProvider, wanted: Wanted): Looked['out'] {
  const { kind, region, retention } = provider
  if (isRehearsal(wanted.model) !== (kind === 'rehearsal')) return 'kind'
  if (!speaks(kind, wanted.wire)) return 'wire'
  if (kind === 'rehearsal') return null // It is on this machine, and keeps nothing.
  const { regions, retention: asked } = wanted.verdict
  if (regions !== null && (region === null || !regions.includes(region))) return 'region'
  if (asked.some((label) => !retention.includes(label))) return 'retention'
  return null
}

export const reasonIn = 'it lists the model and speaks the wire; the oldest such one serves'

/** What the caller is told when nobody is in. */
export function toRefusal(wanted: Wanted, route: Route | undefined, looked: readonly Looked[]) {
  const { model, pinned, verdict } = wanted
  if (looked.some(({ out }) => out === 'region')) {
    return new Refusal('policy/region', `Asked for: ${verdict.regions!.join(', ') || 'none'}.`)
  }
  if (looked.some(({ out }) => out === 'retention')) {
    return new Refusal('policy/retention', `Asked for: ${verdict.retention.join(', ')}.`)
  }
  if (route) return new Refusal('provider/none', `No target of the route ${route.name} serves it.`)
  const by = pinned === undefined ? 'No provider lists' : `The provider ${pinned} does not serve`
  return new Refusal('provider/none', `${by} ${model} on this wire.`)
}

type Served = Pick<Wanted, 'org' | 'model' | 'pinned'>
const anywhere = { regions: null, retention: [] }

/** The wires on which somebody serves a model: what an agent that speaks several must know before it starts. */
export const wiresOf = (
  served: Served,
  providers: readonly LiveProvider[],
  routes: readonly Route[],
): Wire[] =>
  wires.filter((wire) => {
    const wanted = { ...served, wire, verdict: anywhere }
    if (findOldest(wanted, providers)) return true
    return takesRoute(served) && routes.some((route) => leads(route, wanted, providers))
  })

/** Whether a route without conditions on the caller brings the model somewhere. */
function leads(route: Route, wanted: Wanted, providers: readonly LiveProvider[]): boolean {
  const { models, wires: taken = wires, ...conditions } = route.match
  if (Object.keys(conditions).length > 0 || !taken.includes(wanted.wire)) return false
  const named = models.some((pattern) =>
    pattern.endsWith('*')
      ? wanted.model.startsWith(pattern.slice(0, -1))
      : pattern === wanted.model,
  )
  return named && lookAtTargets(route, wanted, providers).some(({ out }) => out === null)
}
