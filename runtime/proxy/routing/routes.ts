// The routes by which people keep routes, see how providers fare, and ask where a call would go.
import { json, Router } from 'express'
import type { Access } from '#kernel/access.ts'
import { userOf } from '#kernel/caller.ts'
import { parseStored } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { fault } from '../errors.ts'
import { ExplainQuestion, NewRoute, type ProviderHealth } from './api.ts'
import { type ExplainDeps, explain } from './explain.ts'
import { addRoute, changeRoute, type RouteDeps, readRoute, removeRoute } from './route-store.ts'

type Deps = RouteDeps & ExplainDeps & { access: Access }
const bodyMax = '256kb'

/** To be mounted behind `withCaller`. */
export function routeRoutes(deps: Deps): Router {
  const assertMay = (claims: UserClaims, verb: 'create' | 'read' | 'delete', id: string) =>
    deps.access.assert(claims, `route:${verb}`, { type: 'Route', id, org: claims.org })

  return Router()
    .post('/api/routes', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const route = toRoute(request.body)
      assertMay(claims, 'create', route.name)
      const owner = { org: claims.org, user: claims.sub }
      response.status(201).json(await addRoute(route, owner, deps))
    })
    .get('/api/routes', (_request, response) => {
      const claims = userOf(response)
      assertMay(claims, 'read', '*')
      response.json({ items: deps.rules.routesOf(claims.org), cursor: null })
    })
    .get('/api/routes/:name', (request, response) => {
      const claims = userOf(response)
      assertMay(claims, 'read', request.params.name)
      response.json(readRoute(claims.org, request.params.name, deps))
    })
    .put('/api/routes/:name', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const { name } = request.params
      assertMay(claims, 'create', name)
      const route = toRoute({ ...(request.body as object), name })
      response.json(await changeRoute(route, claims.org, deps))
    })
    .delete('/api/routes/:name', async (request, response) => {
      const claims = userOf(response)
      assertMay(claims, 'delete', request.params.name)
      await removeRoute(claims.org, request.params.name, deps)
      response.status(204).end()
    })
    .get('/api/providers/:name/health', (request, response) => {
      const claims = userOf(response)
      const { name } = request.params
      deps.access.assert(claims, 'provider:read', { type: 'Provider', id: name, org: claims.org })
      response.json(readHealth(claims.org, name, deps))
    })
    .post('/api/explain', json({ limit: bodyMax }), (request, response) => {
      const claims = userOf(response)
      assertMay(claims, 'read', '*')
      const parsed = parseStored(ExplainQuestion, request.body)
      if (!parsed.ok) throw fault('explain/invalid', { problems: parsed.problems })
      response.json(explain(parsed.value, claims, deps))
    })
}

function toRoute(body: unknown): NewRoute {
  const parsed = parseStored(NewRoute, body)
  if (!parsed.ok) throw fault('route/invalid', { problems: parsed.problems })
  return parsed.value
}

function readHealth(org: string, name: string, { providers, router }: Deps): ProviderHealth {
  const found = providers
    .all()
    .find((one) => one.name === name && (one.org === org || one.org === null))
  if (!found) throw fault('provider/absent', { detail: name })
  return { name, ...router.health.show(found.id), callsMax: found.callsMax }
}
