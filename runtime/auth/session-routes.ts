// The caller's own sessions, and which of their organisations a session speaks for.
import { type Response, Router } from 'express'
import type { Access, Resource } from '#kernel/access.ts'
import type { EndedSessions, OrgList, SessionList } from './api.ts'
import type { Caller } from './caller.ts'
import { toCookie } from './cookie.ts'
import { originOf } from './gate.ts'
import type { Organisations } from './organisations.ts'
import type { Sessions } from './sessions.ts'

type Deps = { access: Access; sessions: Sessions; organisations: Organisations }

const callerOf = (response: Response) => response.locals.caller as Caller

export const sessionRoutes = ({ access, sessions }: Deps) =>
  Router({ caseSensitive: true })
    .get('/', async (_request, response) => {
      const caller = callerOf(response)
      access.assert(caller.claims, 'session:read', toSession(caller))
      const items = await sessions.list(caller)
      response.json({ items, cursor: null } satisfies SessionList)
    })
    .delete('/', async (_request, response) => {
      const caller = callerOf(response)
      access.assert(caller.claims, 'session:end', toSession(caller))
      const ended = await sessions.endOthers(caller)
      response.json({ ended } satisfies EndedSessions)
    })
    .delete('/:id', async ({ params: { id } }, response) => {
      const caller = callerOf(response)
      access.assert(caller.claims, 'session:end', toSession(caller))
      await sessions.endOne(caller, id)
      if (id === caller.session)
        response.setHeader('set-cookie', toCookie('', 0, originOf(response)))
      response.status(204).end()
    })

/** A session is its person's, in whichever organisation: no statement reaches another person's. */
const toSession = ({ claims: { org, sub: owner } }: Caller): Resource => ({
  type: 'Session',
  id: '*',
  org,
  owner,
})

export const orgRoutes = ({ organisations }: Deps) =>
  Router({ caseSensitive: true })
    .get('/', async (_request, response) => {
      const items = await organisations.list(callerOf(response))
      response.json({ items, cursor: null } satisfies OrgList)
    })
    .post('/:id/enter', async (request, response) => {
      await organisations.enter(callerOf(response), request.params.id)
      response.status(204).end()
    })
