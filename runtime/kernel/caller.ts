// Who calls a route: the middleware that turns a bearer token into claims, and the guards over them.
import type { RequestHandler, Response } from 'express'
import { createFaults } from './fault.ts'
import type { Claims, ServiceClaims, UserClaims, Verifier } from './tokens.ts'

export const callerFaults = {
  'caller/unknown': {
    status: 401,
    text: 'Say who you are: the token is missing, spent, or not for this role.',
  },
  'caller/wrong-kind': { status: 403, text: 'This route is not for this kind of caller.' },
} as const
const fault = createFaults<keyof typeof callerFaults>(callerFaults)

/** Every route behind it has a caller. */
export const withCaller =
  (verify: Verifier): RequestHandler =>
  async (request, response, next) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
    const claims = token && (await verify(token))
    if (!claims) throw fault('caller/unknown')
    response.locals.claims = claims
    next()
  }

const claimsOf = (response: Response) => response.locals.claims as Claims | undefined

export function userOf(response: Response): UserClaims {
  const claims = claimsOf(response)
  if (claims?.kind !== 'user') throw fault('caller/wrong-kind')
  return claims
}

/** A route for other roles: with names, for those alone. */
export function serviceOf(response: Response, ...allowed: ServiceClaims['sub'][]): ServiceClaims {
  const claims = claimsOf(response)
  if (claims?.kind !== 'service') throw fault('caller/wrong-kind')
  if (allowed.length > 0 && !allowed.includes(claims.sub)) throw fault('caller/wrong-kind')
  return claims
}

/** A person, or a role acting for one. */
export function userOrServiceOf(response: Response): UserClaims | ServiceClaims {
  const claims = claimsOf(response)
  if (!claims || claims.kind === 'sandbox') throw fault('caller/wrong-kind')
  return claims
}
