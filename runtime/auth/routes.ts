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
import { parse } from '#kernel/parse.ts'
import type { UserClaims, Verifier } from '#kernel/tokens.ts'
import type { NoteDenial } from './access-log.ts'
import { type KeyList, type Me, NewKey, type Status } from './api.ts'
import type { Authenticate } from './authenticate.ts'
import { fault } from './errors.ts'
import { type Forward, roleOf } from './forward.ts'
import { type Gate, originOf, withGate } from './gate.ts'
import type { Keys } from './keys.ts'
import type { LoginLinks } from './login-links.ts'
import { isStoreDown } from './store-down.ts'

type Deps = {
  gate: Gate
  pages: Router
  verify: Verifier
  authenticate: Authenticate
  access: Access
  keys: Keys
  loginLinks: LoginLinks
  forward: Forward
  status: () => Status
  noteDenial: NoteDenial
  denialsWindowMs: number
}

export const authRoutes = (deps: Deps) =>
  Router({ caseSensitive: true })
    .use(withGate(deps.gate))
    .use('/internal', withCaller(deps.verify), internalRoutes(deps))
    .use(deps.pages)
    .use('/api', withUser(deps.authenticate), ownRoutes(deps))
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
      const { sub: user, org, role, channel } = userOf(response)
      response.json({ user, org, role, channel } satisfies Me)
    })
    .get('/status', (_request, response) => void response.json(deps.status()))
    .post('/login-links', async (_request, response) => {
      const claims = userOf(response)
      const { org, sub: user, channel } = claims
      deps.access.assert(claims, 'org:administer', { type: 'Org', id: org, org })
      const link = await deps.loginLinks.create({ org, user, channel }, originOf(response))
      response.status(201).json(link)
    })
    .use('/keys', keyRoutes(deps))

const bodyMax = '16kb' // A name and a number.

const keyRoutes = ({ access, keys }: Deps) =>
  Router({ caseSensitive: true })
    .post('/', json({ limit: bodyMax }), async (request, response) => {
      const claims = userOf(response)
      const parsed = parse(NewKey, request.body)
      if (!parsed.ok) throw fault('auth/invalid', { problems: parsed.problems })
      access.assert(claims, 'key:create', keyOf('new', claims.org, claims.sub))
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
    .delete('/:id', async (request, response) => {
      const claims = userOf(response)
      const { id, user } = await keys.find(claims.org, request.params.id)
      access.assert(claims, 'key:revoke', keyOf(id, claims.org, user))
      response.json(await keys.revoke(claims, id))
    })

const keyOf = (id: string, org: string, owner?: string): Resource => ({
  type: 'Key',
  id,
  org,
  ...(owner !== undefined && { owner }),
})

const withUser =
  (authenticate: Authenticate): RequestHandler =>
  async (request, response, next) => {
    response.locals.user = await authenticate(request)
    next()
  }

const userOf = (response: Response) => response.locals.user as UserClaims

const onward =
  (forward: Forward): RequestHandler =>
  (request, response, next) => {
    const role = roleOf(request.path)
    return role ? forward.http(userOf(response), role)(request, response, next) : next()
  }

/** Notes who was kept out. A database that is away is told as such, and not as a failure of ours. */
const onDenial =
  ({ noteDenial, denialsWindowMs }: Deps): ErrorRequestHandler =>
  async (error: unknown, request: Request, response, next) => {
    const known = isStoreDown(error) ? fault('auth/store-down', { cause: error }) : error
    await noteDenial(known, request, userOf(response))
    if (known instanceof Fault && known.status === 429) {
      response.setHeader('retry-after', Math.ceil(denialsWindowMs / 1_000))
    }
    next(known)
  }
