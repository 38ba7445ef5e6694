// The routes by which people keep policies.
import { json, Router } from 'express'
import type { Access } from '#kernel/access.ts'
import { userOf } from '#kernel/caller.ts'
import { parse, parseStored } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { fault } from '../errors.ts'
import { NewPolicy, Subject } from './api.ts'
import { type PolicyDeps, readPolicy, removePolicy, setPolicy } from './policy-store.ts'

/** To be mounted behind `withCaller`. */
export function policyRoutes(deps: PolicyDeps & { access: Access }): Router {
  const assertMay = (claims: UserClaims, verb: 'read' | 'set' | 'delete', id: string) =>
    deps.access.assert(claims, `policy:${verb}`, { type: 'Policy', id, org: claims.org })

  return Router()
    .get('/api/policies', (_request, response) => {
      const claims = userOf(response)
      assertMay(claims, 'read', '*')
      response.json({ items: deps.rules.policiesOf(claims.org), cursor: null })
    })
    .get('/api/policies/:subject', (request, response) => {
      const claims = userOf(response)
      const subject = toSubject(request.params.subject)
      assertMay(claims, 'read', subject)
      response.json(readPolicy(claims.org, subject, deps))
    })
    .put('/api/policies/:subject', json({ limit: '256kb' }), async (request, response) => {
      const claims = userOf(response)
      const subject = toSubject(request.params.subject)
      assertMay(claims, 'set', subject)
      const parsed = parseStored(NewPolicy, request.body)
      if (!parsed.ok) throw fault('policy/invalid', { problems: parsed.problems })
      const owner = { org: claims.org, user: claims.sub }
      response.json(await setPolicy(subject, parsed.value, owner, deps))
    })
    .delete('/api/policies/:subject', async (request, response) => {
      const claims = userOf(response)
      const subject = toSubject(request.params.subject)
      assertMay(claims, 'delete', subject)
      await removePolicy(claims.org, subject, deps)
      response.status(204).end()
    })
}

function toSubject(text: string): string {
  const parsed = parse(Subject, text)
  if (!parsed.ok) throw fault('policy/invalid', { problems: parsed.problems })
  return parsed.value
}
