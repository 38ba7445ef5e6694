// What people do with routes. Each change and the version of the rules move in one transaction.
import type { DatabasePool } from 'slonik'
import { fault } from '../errors.ts'
import { type LiveProvider, rehearsalPrefix } from '../providers.ts'
import { deleteRoute, insertRoute, moveRulesVersion, replaceRoute } from '../sql/rules.ts'
import type { NewRoute, Route } from './api.ts'
import { type Rules, toRoute } from './rules.ts'

const routesMax = 500 // An organisation's; each call of it looks through them.

export type RouteDeps = {
  db: DatabasePool
  rules: Rules
  providers: { all(): readonly LiveProvider[] }
  now: () => Date
}
type Owner = { org: string; user: string }

export async function addRoute(
  route: NewRoute,
  { org, user }: Owner,
  { db, rules, providers, now }: RouteDeps,
): Promise<Route> {
  assertTargets(route, org, providers.all())
  const { name, ...definition } = route
  const row = await db.transaction(async (transaction) => {
    const made = await transaction.maybeOne(
      insertRoute({ org, name, definition, user }, now(), routesMax),
    )
    if (made) await transaction.query(moveRulesVersion())
    return made
  })
  if (!row && rules.routesOf(org).length >= routesMax) {
    throw fault('route/invalid', { say: `${routesMax} routes are the most. Remove one.` })
  }
  if (!row) throw fault('route/exists', { detail: name })
  await rules.refresh()
  return toRoute(row)!
}

/** The whole of it: what is left out is as in a new one. */
export async function changeRoute(
  route: NewRoute,
  org: string,
  { db, rules, providers }: RouteDeps,
): Promise<Route> {
  assertTargets(route, org, providers.all())
  const { name, ...definition } = route
  const row = await db.transaction(async (transaction) => {
    const found = await transaction.maybeOne(replaceRoute({ org, name, definition }))
    if (!found) throw fault('route/none', { detail: name })
    await transaction.query(moveRulesVersion())
    return found
  })
  await rules.refresh()
  return toRoute(row)!
}

export async function removeRoute(
  org: string,
  name: string,
  { db, rules }: RouteDeps,
): Promise<void> {
  await db.transaction(async (transaction) => {
    const row = await transaction.maybeOne(deleteRoute(org, name))
    if (!row) throw fault('route/none', { detail: name })
    await transaction.query(moveRulesVersion())
  })
  await rules.refresh()
}

export function readRoute(org: string, name: string, { rules }: RouteDeps): Route {
  const found = rules.routesOf(org).find((route) => route.name === name)
  if (!found) throw fault('route/none', { detail: name })
  return found
}

/** A name that is misspelt shows here, and not with the first call. A provider that goes later leaves its routes. */
function assertTargets(route: NewRoute, org: string, providers: readonly LiveProvider[]): void {
  const own = new Set(providers.filter((one) => one.org === org).map(({ name }) => name))
  const problems = route.targets.flatMap(({ provider, model }, at) => {
    const path = `targets.${at}`
    if (model?.startsWith(rehearsalPrefix)) {
      return [{ path: `${path}.model`, value: model, message: toRehearsal }]
    }
    if (own.has(provider)) return []
    const message = 'No provider of the organisation has this name. Add it first.'
    return [{ path: `${path}.provider`, value: provider, message }]
  })
  const patterns = route.match.models.flatMap((model, at) =>
    model.startsWith(rehearsalPrefix)
      ? [{ path: `match.models.${at}`, value: model, message: toRehearsal }]
      : [],
  )
  const found = [...patterns, ...problems]
  if (found.length > 0) throw fault('route/invalid', { problems: found })
}

const toRehearsal = 'Models of the rehearsal go to the rehearsal, by no route.'
