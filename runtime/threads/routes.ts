import { type RequestHandler, type Response, Router, raw } from 'express'
import type { Resource } from '#kernel/access.ts'
import { serviceOf, userOf, withCaller } from '#kernel/caller.ts'
import { parse } from '#kernel/parse.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { NewTurns, type StoredTurns } from './api.ts'
import { ask } from './away.ts'
import { fault } from './errors.ts'
import { createLineReader } from './line.ts'
import { readHits, readMessages, readThreads } from './read.ts'
import { MessagesQuery, parseQuery, SearchQuery, ThreadsQuery } from './requests.ts'
import type { Scope } from './sql/search.ts'
import { findThread } from './sql/threads.ts'
import { storeTurns } from './store.ts'
import { toStorable } from './text.ts'
import { toThread } from './thread.ts'
import { readTurnLines, turnLinesType } from './turn-lines.ts'

type Deps = Pick<RoleDeps, 'db' | 'log' | 'verify' | 'access'>

const turnBytesMax = '33mb' // A request of 32 MiB, the proxy's own bound, and the rest of a turn.
const inFlightMax = 8 // Each may hold a body of that size in memory.

export const threadsRoutes = (deps: Deps) =>
  Router().use(withCaller(deps.verify), turnRoutes(deps), readRoutes(deps))

function turnRoutes({ db, log }: Deps): Router {
  const store = { db, log, toLine: createLineReader() }
  return Router()
    .use(
      '/internal/turns',
      onlyForProxy,
      bounded(inFlightMax),
      raw({ type: turnLinesType, limit: turnBytesMax }),
    )
    .post('/internal/turns', async (request, response) => {
      const body: unknown = request.body // Of another type it is none.
      const turns = Buffer.isBuffer(body) ? readTurnLines(body) : []
      const parsed = parse(NewTurns, { turns })
      if (!parsed.ok) throw fault('threads/invalid', { problems: parsed.problems })
      const stored = await ask(storeTurns(store, parsed.value.turns))
      response.json({ turns: stored } satisfies StoredTurns)
    })
}

const readRoutes = ({ db, access }: Deps) =>
  Router()
    .get('/api/threads', async (request, response) => {
      const scope = scopeOf(access, response)
      response.json(await ask(readThreads(db, scope, parseQuery(ThreadsQuery, request.query))))
    })
    .get('/api/threads/search', async (request, response) => {
      const scope = scopeOf(access, response)
      response.json(await ask(readHits(db, scope, parseQuery(SearchQuery, request.query))))
    })
    .get('/api/threads/:id', async (request, response) => {
      const claims = userOf(response)
      const query = parseQuery(MessagesQuery, request.query)
      const id = toStorable(request.params.id)
      const row = await ask(db.maybeOne(findThread(claims.org, id)))
      if (!row) throw fault('threads/absent') // Also what belongs to another organisation.
      access.assert(claims, 'thread:read', resourceOf(claims, row))
      response.json(await ask(readMessages(db, toThread(row), query)))
    })

/** What of the organisation's threads a caller may read: all, or the caller's own. The policies say. */
function scopeOf(access: Deps['access'], response: Response): Scope {
  const claims = userOf(response)
  const { org, sub } = claims
  if (access.decide(claims, 'thread:read', resourceOf(claims)).allowed) return { org, user: null }
  access.assert(claims, 'thread:read', resourceOf(claims, { id: '', user: sub }))
  return { org, user: sub }
}

const resourceOf = ({ org }: UserClaims, thread?: { id: string; user: string }): Resource => ({
  type: 'Thread',
  org,
  id: thread?.id ?? '',
  ...(thread && { owner: thread.user }),
})

const onlyForProxy: RequestHandler = (_request, response, next) => {
  serviceOf(response, 'proxy')
  next()
}

/** Refuses what would be more than `most` at once, before its body is read. */
function bounded(most: number): RequestHandler {
  let inFlight = 0
  return (_request, response, next) => {
    if (response.destroyed) return // It left while it was asked who it is: its close has been.
    if (inFlight >= most) throw fault('threads/busy')
    inFlight += 1
    response.once('close', () => {
      inFlight -= 1
    })
    next()
  }
}
