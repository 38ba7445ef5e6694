// The front door: what auth answers itself, and then the way on to the other roles.
import {
  type ErrorRequestHandler,
  json,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express'
import type { Access, Resource } from '#kernel/access.ts'
import { serviceOf, withCaller } from '#kernel/caller.ts'
import { Fault } from '#kernel/fault.ts'
import { parseStored } from '#kernel/parse.ts'
import type { UserClaims, Verifier } from '#kernel/tokens.ts'
import type { NoteDenial } from './access-log.ts'
import { KeyChange, type KeyList, KeyRotation, type Me, NewKey, type Status } from './api.ts'
import { type Authenticate, isProvenSession } from './authenticate.ts'
import type { Caller } from './caller.ts'
import type { Denials } from './denials.ts'
import { fault } from './errors.ts'
import { type Forward, roleOf } from './forward.ts'
import { type Gate, originOf, withGate } from './gate.ts'
import type { Keys } from './keys.ts'
import type { LoginLinks } from './login-links.ts'
import type { Organisations } from './organisations.ts'
import { orgRoutes, sessionRoutes } from './session-routes.ts'
import type { Sessions } from './sessions.ts'
import { isStoreDown } from './store-down.ts'

type Deps = {
  gate: Gate
  pages: Router
  assets: Router
  verify: Verifier
  authenticate: Authenticate
  access: Access
  keys: Keys
  loginLinks: LoginLinks
  sessions: Sessions
  organisations: Organisations
  denials: Denials
  forward: Forward
  status: () => Promise<Status>
  noteDenial: NoteDenial
  denialsWindowMs: number
}

export const authRoutes = (deps: Deps) =>
  Router({ caseSensitive: true })
    .use(withGate(deps.gate))
    .use('/internal', withCaller(deps.verify), internalRoutes(deps))
    .use(deps.assets)
    .use(deps.pages)
    .get('/api/status', (request, response) => showStatus(deps, request, response))
    .use('/api', withCallerOf(deps.authenticate), ownRoutes(deps))
    .use(onward(deps.forward))
    .use(onDenial(deps))

const internalRoutes = ({ keys }: Deps) =>
  Router().get('/keys', async (_request, response) => {
    serviceOf(response, 'proxy')
    response.json(await keys.checks())
  })

const ownRoutes = (deps: Deps) =>
  Router({ caseSensitive: true })
    .get('/me', (_request, response) => {
      const { claims, session } = callerOf(response)
      const { sub: user, org, role, channel } = claims
      const isLocalOwner = channel === 'owner-token' || channel === 'owner-session'
      response.json({ user, org, role, channel, session, isLocalOwner } satisfies Me)
    })
    .post('/login-links', async (_request, response) => {
      const claims = userOf(response)
      const { org, sub: user, channel } = claims
      deps.access.assert(claims, 'org:administer', { type: 'Org', id: org, org })
      // A session hands on no more than a session: this machine's owner is proved by the token's file alone.
      const maker = { org, user, channel, isLocalOwner: channel === 'owner-token' }
      const link = await deps.loginLinks.create(maker, originOf(response))
      response.status(201).json(link)
    })
    .use('/keys', keyRoutes(deps))
    .use('/sessions', sessionRoutes(deps))
    .use('/orgs', orgRoutes(deps))

const bodyMax = '16kb' // A name and a number.

const keyRoutes = ({ access, keys }: Deps) =>
  Router({ caseSensitive: true })
    .post('/', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const parsed = parseStored(NewKey, request.body)
      if (!parsed.ok) throw fault('auth/invalid', { problems: parsed.problems })
      access.assert(claims, 'key:create', keyOf('new', claims.org, claims.sub))
      if (parsed.value.team !== undefined) assertAdministers(access, claims)
      response.status(201).json(await keys.create(claims, parsed.value))
    })
    .get('/', async (_request, response) => {
      const claims = userOf(response)
      const { org, sub } = claims
      const readsAll = access.decide(claims, 'key:read', keyOf('*', org)).allowed
      if (!readsAll) access.assert(claims, 'key:read', keyOf('*', org, sub))
      const items = await keys.list(org, readsAll ? null : sub)
      response.json({ items, cursor: null } satisfies KeyList)
    })
    .put('/:id', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const parsed = parseStored(KeyChange, request.body)
      if (!parsed.ok) throw fault('auth/invalid', { problems: parsed.problems })
      assertAdministers(access, claims)
      response.json(await keys.change(claims, request.params.id, parsed.value))
    })
    .post('/:id/rotate', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const parsed = parseStored(KeyRotation, request.body ?? {})
      if (!parsed.ok) throw fault('auth/invalid', { problems: parsed.problems })
      const { id, user } = await keys.find(claims.org, request.params.id)
      // It makes one and ends one: a key does neither of another, so a leaked one does not outlive itself.
      access.assert(claims, 'key:create', keyOf(id, claims.org, user))
      access.assert(claims, 'key:revoke', keyOf(id, claims.org, user))
      response.status(201).json(await keys.rotate(claims, id, parsed.value.overlap))
    })
    .delete('/:id', async (request, response) => {
      const claims = userOf(response)
      const { id, user } = await keys.find(claims.org, request.params.id)
      access.assert(claims, 'key:revoke', keyOf(id, claims.org, user))
      response.json(await keys.revoke(claims, id))
    })

/** **Security.** A team has budgets of its own, and routes: a member may not spend them by naming it. */
const assertAdministers = (access: Access, claims: UserClaims) =>
  access.assert(claims, 'org:administer', { type: 'Org', id: claims.org, org: claims.org })

const keyOf = (id: string, org: string, owner?: string): Resource => ({
  type: 'Key',
  id,
  org,
  ...(owner !== undefined && { owner }),
})

/** A session that was good a moment ago is told what is up also while the database, which knows it, is not. */
async function showStatus(deps: Deps, request: Request, response: Response): Promise<void> {
  try {
    await deps.authenticate(request)
  } catch (error) {
    if (!isStoreDown(error) || !isProvenSession(request, deps.denials)) throw error
  }
  response.json(await deps.status())
}

const withCallerOf =
  (authenticate: Authenticate): RequestHandler =>
  async (request, response, next) => {
    response.locals.caller = await authenticate(request)
    next()
  }

const callerOf = (response: Response) => response.locals.caller as Caller
const userOf = (response: Response) => callerOf(response).claims

const onward =
  (forward: Forward): RequestHandler =>
  (request, response, next) => {
    const role = roleOf(request.path)
    return role ? forward.http(callerOf(response), role)(request, response, next) : next()
  }

/** Notes who was kept out. A database that is away is told as such, and not as a failure of ours. */
const onDenial =
  ({ noteDenial, denialsWindowMs }: Deps): ErrorRequestHandler =>
  async (error: unknown, request: Request, response, next) => {
    const known = isStoreDown(error) ? fault('auth/store-down', { cause: error }) : error
    await noteDenial(known, request, (response.locals.caller as Caller | undefined)?.claims)
    if (known instanceof Fault && known.status === 429) {
      response.setHeader('retry-after', Math.ceil(denialsWindowMs / 1_000))
    }
    next(known)
  }
