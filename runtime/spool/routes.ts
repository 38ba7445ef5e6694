import type { EventEmitter } from 'node:events'
import { json, type Request, type Response, Router } from 'express'
import { z } from 'zod'
import { userOf, withCaller } from '#kernel/caller.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { LoopFile, type LoopPage } from './api.ts'
import type { SpoolConfig } from './config.ts'
import { fault } from './errors.ts'
import { sendEvents } from './events.ts'
import { pauseByHand, resumeByHand } from './holding.ts'
import type { Hub } from './live/hub.ts'
import { toLoop, toSummary } from './loop.ts'
import { passRoutes } from './pass-routes.ts'
import { EventsQuery, ListQuery, read } from './queries.ts'
import { toResource } from './resource.ts'
import type { Slots } from './runner/slots.ts'
import { countLoops, type Filter, listLoops } from './sql/lists.ts'
import { cancelLoop, findLoop, type LoopRow } from './sql/loops.ts'
import { store, submit } from './submission.ts'

export type RouteDeps = {
  config: SpoolConfig
  deps: RoleDeps
  slots: Slots
  hub: Hub
  written: EventEmitter
  appFolder: string
  /** Aborts when the role stops. */
  stopping: AbortSignal
}

const bodyBytesMax = 2 * 1024 ** 2 // A prompt of 200,000 characters, escaped at its worst, and the rest.

/** Answers the loop where it is the caller's organisation's and a policy allows the action on it. */
export type Find = (request: Request, response: Response, action: string) => Promise<LoopRow>

export function spoolRoutes(all: RouteDeps): Router {
  const { deps, hub } = all
  const find: Find = (request, response, action) =>
    findAllowed(deps, userOf(response), String(request.params['id']), action)
  return Router()
    .use('/api/loops', withCaller(deps.verify), json({ limit: bodyBytesMax }))
    .get('/api/loops/schema', (_, response) => {
      response.json(z.toJSONSchema(LoopFile, { io: 'input' }))
    })
    .get('/api/loops/live', hub.listen)
    .get('/api/loops', async (request, response) => {
      response.json(await list(deps, userOf(response), request.query))
    })
    .get('/api/loops/:id', async (request, response) => {
      response.json(toLoop(await find(request, response, 'loop:read')))
    })
    .get('/api/loops/:id/events', following(all, find))
    .use(changingRoutes(all, find), passRoutes(deps, find))
}

function changingRoutes({ deps, slots, hub, appFolder }: RouteDeps, find: Find): Router {
  const { db } = deps
  const wake = (org: string) => {
    slots.wake()
    hub.ring(org)
  }
  const around = { deps, appFolder, onStored: wake }
  return Router()
    .post('/api/loops', async (request, response) => {
      response.status(201).json(await submit(around, userOf(response), request.body))
    })
    .post('/api/loops/:id/cancel', async (request, response) => {
      const { id, org } = await find(request, response, 'loop:cancel')
      await db.query(cancelLoop(org, id))
      slots.cancel(id)
      hub.ring(org)
      response.status(202).json(toLoop(await db.one(findLoop(org, id))))
    })
    .post('/api/loops/:id/pause', async (request, response) => {
      const { id, org } = await find(request, response, 'loop:pause')
      const row = await pauseByHand(db, { id, org, user: userOf(response).sub })
      hub.ring(org)
      response.status(202).json(toLoop(row))
    })
    .post('/api/loops/:id/resume', async (request, response) => {
      const { id, org } = await find(request, response, 'loop:resume')
      const row = await resumeByHand(db, { id, org, user: userOf(response).sub })
      wake(org)
      response.status(202).json(toLoop(row))
    })
    .post('/api/loops/:id/retry', async (request, response) => {
      const { id, spec } = await find(request, response, 'loop:retry')
      response.status(201).json(await store(around, userOf(response), { loop: spec, retryOf: id }))
    })
}

/** A loop of another organisation is absent: whether it exists is nobody's business. */
async function findAllowed(
  { db, access }: RoleDeps,
  claims: UserClaims,
  id: string,
  action: string,
): Promise<LoopRow> {
  const row = await db.maybeOne(findLoop(claims.org, id))
  if (!row) throw fault('loop/absent')
  access.assert(claims, action, toResource(row))
  return row
}

async function list(
  { db, access }: RoleDeps,
  claims: UserClaims,
  query: unknown,
): Promise<LoopPage> {
  const { state, ending, agent, model, user, q, limit, cursor = null } = read(ListQuery, query)
  const filter: Filter = {
    org: claims.org,
    states: state,
    endings: ending,
    agents: agent,
    models: model,
    users: user,
    text: q,
  }
  const [rows, { total }] = await Promise.all([
    db.any(listLoops(filter, { cursor, limit })),
    db.one(countLoops(filter)),
  ])
  const seen = rows.filter((row) => access.decide(claims, 'loop:read', toResource(row)).allowed)
  const next = rows.length === limit ? rows.at(-1)!.id : null
  return { items: seen.map(toSummary), cursor: next, total }
}

function following({ config, deps, written, stopping }: RouteDeps, find: Find) {
  let followers = 0
  return async (request: Request, response: Response) => {
    const { id, name, state } = await find(request, response, 'loop:read')
    const { after, follow } = read(EventsQuery, request.query)
    // What has ended says no more; its last words may have been read before, or be kept no longer.
    const mode = follow === '1' && state !== 'ended' ? 'follow' : 'once'
    if (mode === 'follow' && followers >= config.followersMax) throw fault('loop/followers')
    followers += mode === 'follow' ? 1 : 0
    try {
      await sendEvents(response, {
        db: deps.db,
        written,
        stopping,
        loop: { id, name },
        after,
        mode,
      })
    } finally {
      followers -= mode === 'follow' ? 1 : 0
    }
  }
}
