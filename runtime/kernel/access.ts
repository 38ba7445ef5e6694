// Access decisions: Cedar policies over the caller's claims and the resource's attributes, in this process.
// Deny is the default. https://docs.cedarpolicy.com
import { createFaults } from './fault.ts'
import type { Logger } from './log.ts'
import { loadPolicies, type PolicyEngine } from './policies.ts'
import type { Claims } from './tokens.ts'

export const accessFaults = {
  'access/denied': { status: 403, text: 'No policy allows this.' },
} as const
const fault = createFaults<keyof typeof accessFaults>(accessFaults)

export type ResourceType =
  | 'Loop'
  | 'Sandbox'
  | 'Thread'
  | 'Key'
  | 'Session'
  | 'Provider'
  | 'Budget'
  | 'Usage'
  | 'Org'
  | 'Route'
  | 'Policy'
export type Resource = {
  type: ResourceType
  id: string
  /** The organisation it belongs to. */
  org: string
  /** The user it belongs to, where it has one. */
  owner?: string
  /** Facts a policy may look at, e.g. `{ isLocal: true }` for a loop on a path of this machine. */
  facts?: Record<string, boolean | string | number>
}
/** Noun and verb, as in policies/access/*.cedar: `loop:create`, `sandbox:exec`. */
export type Action = string

/** `reasons` names the policies that settled it; a denial by default has none. An error is always a denial. */
export type Decision = { allowed: boolean; reasons: string[]; errors: string[] }
export type Access = {
  decide(claims: Claims, action: Action, resource: Resource): Decision
  /** Throws `access/denied` unless a policy allows it, and logs every decision. */
  assert(claims: Claims, action: Action, resource: Resource): void
}

/**
 * Reads, checks and parses the policies of a folder; throws when the schema or one policy is wrong.
 * **Limits.** Policies change with a restart only. A fact or an action that the schema lacks is an error, so a denial.
 */
export function createAccess(log: Logger, policiesFolder: URL): Access {
  const engine = loadPolicies(policiesFolder)
  const decide = createCache((claims, action, resource) =>
    engine.decide(toRequest(claims, action, resource)),
  )
  return {
    decide: logged,
    assert(claims, action, resource) {
      const { allowed, reasons, errors } = logged(claims, action, resource)
      if (!allowed)
        throw fault('access/denied', { detail: [action, ...reasons, ...errors].join('; ') })
    },
  }

  function logged(claims: Claims, action: Action, resource: Resource): Decision {
    const decision = decide(claims, action, resource)
    const principal = `${claims.kind}:${claims.sub}`
    log[toLevel(action, decision)](
      { principal, action, resource: toName(resource), ...decision },
      'decision',
    )
    return decision
  }
}

/** A list asks once a row, so what may be read is told at debug only; changes and refusals are always told. */
function toLevel(action: Action, { allowed, errors }: Decision): 'warn' | 'info' | 'debug' {
  if (errors.length > 0) return 'warn'
  return allowed && action.endsWith(':read') ? 'debug' : 'info'
}

const toName = ({ type, id, org }: Resource) => `${org}/${type}:${id}`

type Request = Parameters<PolicyEngine['decide']>[0]

function toRequest(
  claims: Claims,
  action: Action,
  { type, id, org, owner, facts }: Resource,
): Request {
  const principal = toPrincipal(claims)
  // The facts come first: none can stand in for the organisation or the owner.
  const attrs = { ...facts, org, ...(owner !== undefined && { owner: toUser(owner) }) }
  return { principal, action, resource: { uid: { type, id }, attrs, parents: [] } }
}

const toUser = (id: string) => ({ __entity: { type: 'User', id } })

function toPrincipal(claims: Claims): Request['principal'] {
  const toEntity = (type: string, attrs: Request['principal']['attrs']) => ({
    uid: { type, id: claims.sub },
    attrs,
    parents: [],
  })
  if (claims.kind === 'service') return toEntity('Service', {})
  if (claims.kind === 'sandbox') {
    return toEntity('Sandbox', { org: claims.org, owner: toUser(claims.user) })
  }
  const { org, role, channel } = claims
  return toEntity('User', { org, role, channel })
}

const cacheMax = 1_000 // Some 500 bytes each. A decision takes 0.3 ms, and a page of 100 loops asks for each of them.

type Decide = Access['decide']

/** Remembers decisions: policies never change in a running process, so equal questions have equal answers. */
function createCache(decide: Decide): Decide {
  const known = new Map<string, Decision>()
  return (claims, action, resource) => {
    const key = JSON.stringify([toPrincipal(claims), action, resource])
    const decision = known.get(key) ?? decide(claims, action, resource)
    known.delete(key) // The oldest entry of a Map is its first: what is used again moves to the end.
    known.set(key, decision)
    if (known.size > cacheMax) known.delete(known.keys().next().value!)
    return decision
  }
}
