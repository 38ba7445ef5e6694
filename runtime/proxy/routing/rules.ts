// Routes and policies in memory, as people set them: no call waits for a table. What this process changes holds at once;
// what another one changed, with the next look at the version.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { parse } from '#kernel/parse.ts'
import { NewPolicy, type Policy } from '../policy/api.ts'
import type { Scoped } from '../policy/verdict.ts'
import {
  findRulesVersion,
  listPolicies,
  listRoutes,
  type PolicyRow,
  type RouteRow,
} from '../sql/rules.ts'
import { NewRoute, type Route } from './api.ts'
import { sortRoutes } from './match.ts'
import type { RulesInMemory } from './router.ts'

const rowsMax = 50_000 // Some 1 KB each in memory.

export type Rules = RulesInMemory & {
  policiesOf(org: string): readonly Policy[]
  /** Looks at the version, and reads all when it moved. */
  refresh(): Promise<void>
}

const noRoutes: readonly Route[] = []
const noPolicies: ReadonlyMap<string, Policy> = new Map()
const noScoped: readonly Scoped[] = []

/** Reads them once: a process that does not know its policies must not take calls. */
export async function startRules({ db, log }: { db: DatabasePool; log: Logger }): Promise<Rules> {
  let version = -1
  let routes = new Map<string, Route[]>()
  let policies = new Map<string, Map<string, Policy>>()
  let scopes = new Map<string, readonly Scoped[]>() // By caller, until the next change.

  const takeOver = async () => {
    const { version: found } = await db.one(findRulesVersion())
    if (found === version) return
    const routeRows = await db.any(listRoutes(rowsMax))
    const policyRows = await db.any(listPolicies(rowsMax))
    routes = toRoutes(routeRows, log)
    policies = toPolicies(policyRows, log)
    scopes = new Map()
    version = found // The older of what may have been read: a change in between is read again.
  }

  // One after the other, so that a slower one does not bring an older state back.
  let last = Promise.resolve()
  const refresh = () => {
    last = last.catch(() => {}).then(takeOver) // Whoever asked for the one before has its error.
    return last
  }

  await refresh()
  return {
    refresh,
    routesOf: (org) => routes.get(org) ?? noRoutes,
    policiesOf: (org) => [...(policies.get(org) ?? noPolicies).values()],
    scopedOf({ org, key, team, sandbox }) {
      const own = policies.get(org)
      if (!own) return noScoped
      const subject = sandbox ? 'sandboxes' : `key:${key}`
      const name = `${org}\0${subject}\0${team ?? ''}`
      const known = scopes.get(name)
      if (known) return known
      const subjects = team === null ? ['org', subject] : ['org', `team:${team}`, subject]
      const found = subjects.flatMap((scope): Scoped[] => {
        const policy = own.get(scope)
        return policy ? [{ scope, policy }] : []
      })
      if (scopes.size < rowsMax) scopes.set(name, found)
      return found
    },
  }
}

function toRoutes(rows: readonly RouteRow[], log: Logger): Map<string, Route[]> {
  const read = rows.flatMap((row) => {
    const route = toRoute(row)
    if (!route) log.error({ org: row.org, route: row.name }, 'a route that is not as it must be')
    return route ? [{ org: row.org, route }] : []
  })
  const byOrg = Map.groupBy(read, ({ org }) => org)
  return new Map(
    Array.from(byOrg, ([org, own]) => [org, sortRoutes(own.map(({ route }) => route))]),
  )
}

export function toRoute({ name, definition, created_at }: RouteRow): Route | null {
  const parsed = parse(NewRoute, { ...(definition as object), name })
  return parsed.ok ? { ...parsed.value, createdAt: new Date(created_at).toISOString() } : null
}

function toPolicies(rows: readonly PolicyRow[], log: Logger): Map<string, Map<string, Policy>> {
  const found = new Map<string, Map<string, Policy>>()
  for (const row of rows) {
    const policy = toPolicy(row) ?? toClosed(row)
    if (policy.models.allow?.length === 0) {
      log.warn({ org: row.org, subject: row.subject }, 'a policy allows no model')
    }
    const own = found.get(row.org) ?? new Map<string, Policy>()
    found.set(row.org, own.set(row.subject, policy))
  }
  return found
}

export function toPolicy({ subject, definition, updated_at }: PolicyRow): Policy | null {
  const parsed = parse(NewPolicy, definition)
  if (!parsed.ok) return null
  return { ...parsed.value, subject, updatedAt: new Date(updated_at).toISOString() }
}

/** **Security.** A policy that can't be read allows nothing: somebody wanted a limit, and this is the safe one. */
function toClosed({ subject, updated_at }: PolicyRow): Policy {
  const lists = { allow: null, deny: [] }
  const policy = NewPolicy.parse({
    models: { allow: [], deny: [] },
    tools: lists,
    serverTools: lists,
  })
  return { ...policy, subject, updatedAt: new Date(updated_at).toISOString() }
}
