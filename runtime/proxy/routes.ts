// The role's own routes, behind the front door: for people and for other roles. Model calls don't come here.
import { Router } from 'express'
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import type { Access } from '#kernel/access.ts'
import { serviceOf, userOf, withCaller } from '#kernel/caller.ts'
import type { Logger } from '#kernel/log.ts'
import { parse, parseStored } from '#kernel/parse.ts'
import type { Verifier } from '#kernel/tokens.ts'
import type { Vault } from '#kernel/vault.ts'
import type { Budgets } from './budgets/budgets.ts'
import type { KeepDeps } from './budgets/keep-budgets.ts'
import { budgetRoutes } from './budgets/routes.ts'
import { CallsQuestion, readCalls } from './call-list.ts'
import { type Caller, toSpender } from './caller.ts'
import { fault } from './errors.ts'
import type { Keys } from './keys.ts'
import type { Books, Ledger } from './ledger.ts'
import type { ObserveAll } from './observe/observed.ts'
import { observeRoutes } from './observe/routes.ts'
import { policyRoutes } from './policy/routes.ts'
import { priceRoutes } from './price-routes.ts'
import type { Prices } from './prices/prices.ts'
import { providerRoutes } from './provider-routes.ts'
import type { Providers } from './providers.ts'
import { readLoopUsage, readRecord } from './record.ts'
import { wiresOf } from './routing/candidates.ts'
import type { Router as CallRouter } from './routing/router.ts'
import { routeRoutes } from './routing/routes.ts'
import type { Rules } from './routing/rules.ts'
import type { Sandboxes } from './sandboxes.ts'
import { readUsage, UsageQuestion } from './usage-sums.ts'

type Deps = {
  db: DatabasePool
  vault: Vault
  providers: Providers
  sandboxes: Sandboxes
  /** This process's own, where all that comes over lines is booked. */
  ledger: Ledger
  budgets: KeepDeps['budgets'] & Pick<Budgets, 'explain'>
  rules: Rules
  router: CallRouter
  keys: Keys
  prices: Prices
  log: Logger
  /** Of all processes. */
  observe: ObserveAll
  books: Books
  verify: Verifier
  access: Access
  now: () => Date
}

const WiresQuestion = z.strictObject({
  org: z.string().min(1),
  model: z.string().min(1),
  provider: z.string().min(1).optional(),
})

export function proxyRoutes(deps: Deps): Router {
  const { access } = deps
  return Router()
    .use(withCaller(deps.verify))
    .use(providerRoutes(deps))
    .use(observeRoutes(deps))
    .use(priceRoutes(deps))
    .use(routeRoutes({ ...deps, ...toExplain(deps) }))
    .use(policyRoutes(deps))
    .use(budgetRoutes({ ...deps, flush: deps.books.flush }))
    .get('/api/usage', async (request, response) => {
      const claims = userOf(response)
      access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
      const parsed = parseStored(UsageQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      response.json(await readUsage(claims.org, parsed.value, deps))
    })
    .get('/api/calls', async (request, response) => {
      const claims = userOf(response)
      access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
      const parsed = parseStored(CallsQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      response.json(await readCalls(claims.org, parsed.value, deps))
    })
    .get('/internal/sandboxes/:id/record', async (request, response) => {
      serviceOf(response, 'spool', 'weaver')
      const { id } = request.params
      response.json(await readRecord(id, deps.sandboxes.find(id), deps))
    })
    .get('/internal/wires', (request, response) => {
      serviceOf(response, 'spool')
      const parsed = parse(WiresQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      const { org, model, provider: pinned } = parsed.value
      const wanted = { org, model, pinned }
      response.json({ wires: wiresOf(wanted, deps.providers.all(), deps.rules.routesOf(org)) })
    })
    .get('/internal/loops/:id/usage', async (request, response) => {
      serviceOf(response, 'spool')
      response.json(await readLoopUsage(request.params.id, deps))
    })
}

const toExplain = ({ keys, prices, budgets }: Deps) => ({
  findKey: keys.find,
  isPriced: prices.isPriced,
  explainBudgets: (caller: Caller, model: string) =>
    budgets
      .explain(toSpender(caller, model))
      .map(({ name, unit, amount, window, enforce, clip }) => ({
        ...{ name, unit, amount, window, enforce, clip },
      })),
})
