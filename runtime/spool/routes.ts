import { randomUUID } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { json, type Request, type Response, Router } from 'express'
import { z } from 'zod'
import { userOf, withCaller } from '#kernel/caller.ts'
import { type Parsed, parse } from '#kernel/parse.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { type Loop, LoopFile, NewLoop, type Page, type Pass } from './api.ts'
import type { SpoolConfig } from './config.ts'
import { fault } from './errors.ts'
import { sendEvents } from './events.ts'
import { isLocal } from './git/source.ts'
import { toLoop } from './loop.ts'
import { sendOutput } from './output.ts'
import { toPass } from './pass.ts'
import type { Slots } from './runner/slots.ts'
import { cancelLoop, findLoop, insertLoop, type LoopRow, listLoops } from './sql/loops.ts'
import { listPasses } from './sql/passes.ts'
import { findProblems } from './submit.ts'

export type RouteDeps = {
  config: SpoolConfig
  deps: RoleDeps
  slots: Slots
  written: EventEmitter
  appFolder: string
  /** Aborts when the role stops. */
  stopping: AbortSignal
}

const bodyBytesMax = 2 * 1024 ** 2 // A prompt of 200,000 characters, escaped at its worst, and the rest.

export function spoolRoutes(all: RouteDeps): Router {
  const { deps, slots } = all
  const find = (request: Request, response: Response, action: string) =>
    findAllowed(deps, userOf(response), String(request.params['id']), action)
  return Router()
    .use('/api/loops', withCaller(deps.verify), json({ limit: bodyBytesMax }))
    .get('/api/loops/schema', (_, response) => {
      response.json(z.toJSONSchema(LoopFile, { io: 'input' }))
    })
    .post('/api/loops', async (request, response) => {
      const loop = valid(parse(NewLoop, request.body))
      response
        .status(201)
        .json(await store(all, userOf(response), { loop, action: 'loop:create', retryOf: null }))
    })
    .get('/api/loops', async (request, response) => {
      response.json(await list(deps, userOf(response), request.query))
    })
    .get('/api/loops/:id', async (request, response) => {
      response.json(toLoop(await find(request, response, 'loop:read')))
    })
    .get('/api/loops/:id/passes', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      response.json((await deps.db.any(listPasses(id))).map(toPass) satisfies Pass[])
    })
    .post('/api/loops/:id/cancel', async (request, response) => {
      const { id, org } = await find(request, response, 'loop:cancel')
      await deps.db.query(cancelLoop(org, id))
      slots.cancel(id)
      response.status(202).json(toLoop(await deps.db.one(findLoop(org, id))))
    })
    .post('/api/loops/:id/retry', async (request, response) => {
      const { id, spec } = await find(request, response, 'loop:retry')
      const again = { loop: spec, action: 'loop:create', retryOf: id }
      response.status(201).json(await store(all, userOf(response), again))
    })
    .get('/api/loops/:id/events', following(all, find))
    .get('/api/loops/:id/output', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      await sendOutput(response, deps, id, valid(parse(OutputQuery, request.query)).pass)
    })
}

const OutputQuery = z.strictObject({ pass: z.coerce.number().int().min(1).optional() })
const EventsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  follow: z.enum(['0', '1']).default('0'),
})
const ListQuery = z.strictObject({
  state: z.enum(['queued', 'running', 'paused', 'ended']).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(100).optional(),
})

function valid<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw fault('loop/invalid', { problems: parsed.problems })
  return parsed.value
}

const toResource = (row: { id: string; org: string; user_id: string; spec: NewLoop }) => ({
  type: 'Loop' as const,
  id: row.id,
  org: row.org,
  owner: row.user_id,
  facts: { isLocal: isLocal(row.spec.repository) },
})

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

type Submission = { loop: NewLoop; action: string; retryOf: string | null }

/** Stored whole, or refused with every problem. */
async function store(
  all: RouteDeps,
  claims: UserClaims,
  { loop, action, retryOf }: Submission,
): Promise<Loop> {
  const { deps, slots, appFolder } = all
  const { sub: user, org } = claims
  const id = randomUUID()
  deps.access.assert(claims, action, toResource({ id, org, user_id: user, spec: loop }))
  const problems = await findProblems({ id, loop, claims, appFolder })
  if (problems.length > 0) throw fault('loop/invalid', { problems })
  const isTrusted = claims.channel === 'owner-token'
  await deps.db.query(insertLoop({ id, org, user, spec: loop, retryOf, isTrusted }))
  slots.wake()
  return toLoop(await deps.db.one(findLoop(org, id)))
}

async function list(
  { db, access }: RoleDeps,
  claims: UserClaims,
  query: unknown,
): Promise<Page<Loop>> {
  const { state = null, limit, cursor = null } = valid(parse(ListQuery, query))
  const rows = await db.any(listLoops({ org: claims.org, state, limit, cursor }))
  const seen = rows.filter((row) => access.decide(claims, 'loop:read', toResource(row)).allowed)
  return { items: seen.map(toLoop), cursor: rows.length === limit ? rows.at(-1)!.id : null }
}

type Find = (request: Request, response: Response, action: string) => Promise<LoopRow>

function following({ config, deps, written, stopping }: RouteDeps, find: Find) {
  let followers = 0
  return async (request: Request, response: Response) => {
    const { id, name } = await find(request, response, 'loop:read')
    const { after, follow } = valid(parse(EventsQuery, request.query))
    const mode = follow === '1' ? 'follow' : 'once'
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
