// What was seen of calls, for people and for Prometheus.
import { type Response, Router } from 'express'
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { Access } from '#kernel/access.ts'
import { userOf, userOrServiceOf } from '#kernel/caller.ts'
import { parseStored } from '#kernel/parse.ts'
import { readCall } from '../call-list.ts'
import { fault } from '../errors.ts'
import type { Books } from '../ledger.ts'
import { toText } from './exposition.ts'
import type { ObserveAll } from './observed.ts'

type Deps = { db: DatabasePool; books: Books; access: Access; observe: ObserveAll }

const LiveQuestion = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(100) })
const textType = 'text/plain; version=0.0.4; charset=utf-8'

/** To be mounted behind `withCaller`, before what takes `/api/calls`. */
export function observeRoutes({ db, books, access, observe }: Deps): Router {
  const assertReader = (response: Response) => {
    const claims = userOf(response)
    access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
    return claims
  }
  return Router()
    .get(['/metrics', '/api/metrics'], async (_request, response) => {
      const claims = userOrServiceOf(response)
      // Another role sees all; a person what is of the own organisation, and what is of none.
      const org = claims.kind === 'user' ? claims.org : null
      if (claims.kind === 'user')
        access.assert(claims, 'metrics:read', { type: 'Usage', id: claims.org, org: claims.org })
      const { families } = await observe({ org, limit: 0 })
      response.setHeader('content-type', textType).end(toText(families))
    })
    .get('/api/calls/live', async (request, response) => {
      const { org } = assertReader(response)
      const parsed = parseStored(LiveQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      response.json((await observe({ org, limit: parsed.value.limit })).live)
    })
    .get('/api/calls/:id', async (request, response) => {
      const { org } = assertReader(response)
      response.json(await readCall(org, request.params.id, { db, books }))
    })
}
