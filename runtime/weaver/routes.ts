import { type Response, Router } from 'express'
import { serviceOf, withCaller } from '#kernel/caller.ts'
import { NewSandbox, type Sandbox } from './api.ts'
import { allowed, callerOf, type RoutesDeps, readJson, toBody } from './asked.ts'
import { podRoutes } from './pod-routes.ts'
import { toSandbox } from './sandbox.ts'
import { listSandboxes } from './sql/sandboxes.ts'

type Page<T> = { items: T[]; cursor: string | null }

const pageMax = 100

export function weaverRoutes(deps: RoutesDeps): Router {
  return Router()
    .use('/api/sandboxes', withCaller(deps.verify))
    .post('/api/sandboxes', readJson, async (request, response) => {
      serviceOf(response, 'spool')
      const sandbox = await deps.sandboxes.create(toBody(NewSandbox, request.body))
      // Who left while it was made does not know its id, and would never delete it.
      if (response.closed) await deps.sandboxes.end(sandbox.id, 'abandoned')
      else response.status(201).json(sandbox)
    })
    .get('/api/sandboxes', async (request, response) => {
      response.json(await list(deps, response, request.query))
    })
    .get('/api/sandboxes/:id', async (request, response) => {
      response.json(await allowed(deps, response, 'sandbox:read', request.params.id))
    })
    .delete('/api/sandboxes/:id', async (request, response) => {
      const { id } = await allowed(deps, response, 'sandbox:delete', request.params.id)
      await deps.sandboxes.end(id, 'deleted')
      response.status(204).end()
    })
    .use(podRoutes(deps))
}

async function list(
  { db, access }: RoutesDeps,
  response: Response,
  query: Record<string, unknown>,
): Promise<Page<Sandbox>> {
  const claims = callerOf(response)
  const org = claims.kind === 'user' ? claims.org : null
  if (claims.kind === 'user') {
    access.assert(claims, 'sandbox:read', { type: 'Sandbox', id: '*', org: claims.org })
  }
  const text = (name: string) => (typeof query[name] === 'string' ? query[name] : null)
  const state = stateNamed(text('state'))
  const filter = { loop: text('loop'), state, cursor: text('cursor'), max: pageMax }
  const items = (await db.any(listSandboxes(org, filter))).map(toSandbox)
  return { items, cursor: items.length === pageMax ? items.at(-1)!.id : null }
}

const stateNamed = (name: string | null): Sandbox['state'] | null =>
  name === 'ready' || name === 'ended' ? name : null
