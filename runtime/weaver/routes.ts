import { type Response, Router } from 'express'
import { z } from 'zod'
import { serviceOf, withCaller } from '#kernel/caller.ts'
import { NewSandbox, type Sandbox } from './api.ts'
import { allowed, callerOf, type RoutesDeps, readJson, toBody } from './asked.ts'
import { podRoutes } from './pod-routes.ts'
import { toSandbox } from './sandbox.ts'
import { listSandboxes } from './sql/sandboxes.ts'

type Page<T> = { items: T[]; cursor: string | null }

const ListQuery = z.strictObject({
  loop: z.string().max(100).nullable().default(null),
  purpose: z.enum(['agent', 'gates']).nullable().default(null),
  state: z.enum(['ready', 'ended']).nullable().default(null),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(100).nullable().default(null),
})

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
  const { limit, ...filter } = toBody(ListQuery, query)
  // One more than is shown tells whether there is more.
  const rows = await db.any(listSandboxes(org, { ...filter, max: limit + 1 }))
  const items = rows.slice(0, limit).map(toSandbox)
  return { items, cursor: rows.length > limit ? items.at(-1)!.id : null }
}
