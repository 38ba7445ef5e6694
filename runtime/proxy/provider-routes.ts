// The routes by which people keep providers. Credentials go in, and nothing of one comes out.
import { json, Router } from 'express'
import type { DatabasePool } from 'slonik'
import type { Access } from '#kernel/access.ts'
import { userOf } from '#kernel/caller.ts'
import { type Problem, parseStored } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Vault } from '#kernel/vault.ts'
import { NewProvider, ProviderChange, ProviderTestQuestion } from './api.ts'
import { fault } from './errors.ts'
import { addProvider, changeProvider, readProviders, removeProvider } from './provider-store.ts'
import { tryProvider } from './provider-test.ts'
import type { Providers } from './providers.ts'

type Deps = {
  db: DatabasePool
  vault: Vault
  providers: Providers
  access: Access
  now: () => Date
}

/** To be mounted behind `withCaller`. */
export function providerRoutes(deps: Deps): Router {
  const assertProvider = (
    claims: UserClaims,
    verb: 'create' | 'read' | 'test' | 'delete',
    id: string,
  ) => deps.access.assert(claims, `provider:${verb}`, { type: 'Provider', id, org: claims.org })

  return Router()
    .post('/api/providers', json({ limit: '256kb' }), async (request, response) => {
      const claims = userOf(response)
      const parsed = parseStored(NewProvider, request.body)
      if (!parsed.ok) throw fault('provider/invalid', { problems: parsed.problems.map(withoutKey) })
      assertProvider(claims, 'create', parsed.value.name)
      response
        .status(201)
        .json(await addProvider(parsed.value, { org: claims.org, user: claims.sub }, deps))
    })
    .get('/api/providers', async (_request, response) => {
      const claims = userOf(response)
      assertProvider(claims, 'read', '*')
      response.json({ items: await readProviders(claims.org, deps), cursor: null })
    })
    .put('/api/providers/:name', json({ limit: '256kb' }), async (request, response) => {
      const claims = userOf(response)
      const { name } = request.params
      assertProvider(claims, 'create', name)
      const parsed = parseStored(ProviderChange, request.body)
      if (!parsed.ok) throw fault('provider/invalid', { problems: parsed.problems.map(withoutKey) })
      response.json(await changeProvider(name, parsed.value, claims.org, deps))
    })
    .delete('/api/providers/:name', async (request, response) => {
      const claims = userOf(response)
      assertProvider(claims, 'delete', request.params.name)
      await removeProvider(claims.org, request.params.name, deps)
      response.status(204).end()
    })
    .post('/api/providers/:name/test', json({ limit: '16kb' }), async (request, response) => {
      const claims = userOf(response)
      assertProvider(claims, 'test', request.params.name)
      const parsed = parseStored(ProviderTestQuestion, request.body ?? {})
      if (!parsed.ok) throw fault('provider/invalid', { problems: parsed.problems })
      response.json(await tryProvider(claims.org, request.params.name, parsed.value, deps))
    })
}

/** A refused key must not come back in the answer that refuses it. */
const withoutKey = ({ path, message, ...rest }: Problem): Problem =>
  path === 'key' || path.startsWith('key.') || path === '(root)'
    ? { path, message }
    : { path, message, ...rest }
