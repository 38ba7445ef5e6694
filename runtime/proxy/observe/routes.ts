// What was seen of calls, for people and for Prometheus.
import { type Response, Router } from 'express'
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { Access } from '#kernel/access.ts'
import { userOf, userOrServiceOf } from '#kernel/caller.ts'
import { parseStored } from '#kernel/parse.ts'
import { readCall } from '../call-list.ts'
import { fault } from '../errors.ts'
import type { Ledger } from '../ledger.ts'
import type { Observer } from './observer.ts'

type Deps = { db: DatabasePool; ledger: Ledger; access: Access; observer: Observer }

const LiveQuestion = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(100) })
const textType = 'text/plain; version=0.0.4; charset=utf-8'

/** To be mounted behind `withCaller`, before what takes `/api/calls`. */
export function observeRoutes({ db, ledger, access, observer }: Deps): Router {
  const assertReader = (response: Response) => {
    const claims = userOf(response)
    access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
    return claims
  }
  return Router()
    .get(['/metrics', '/api/metrics'], (_request, response) => {
      const claims = userOrServiceOf(response)
      // Another role sees all; a person what is of the own organisation, and what is of none.
      const org = claims.kind === 'user' ? claims.org : null
      if (claims.kind === 'user')
        access.assert(claims, 'metrics:read', { type: 'Usage', id: claims.org, org: claims.org })
      response.setHeader('content-type', textType).end(observer.toText(org))
    })
    .get('/api/calls/live', (request, response) => {
      const { org } = assertReader(response)
      const parsed = parseStored(LiveQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      response.json(observer.live(org, parsed.value.limit))
    })
    .get('/api/calls/:id', async (request, response) => {
      const { org } = assertReader(response)
      response.json(await readCall(org, request.params.id, { db, ledger }))
    })
}
