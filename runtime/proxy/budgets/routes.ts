// The routes by which people keep budgets. Members read, owners change; another organisation's are not there.
import { json, Router } from 'express'
import { z } from 'zod'
import type { Access } from '#kernel/access.ts'
import { userOf } from '#kernel/caller.ts'
import { parseStored } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { BudgetChange, BudgetRaise, NewBudget } from '../api.ts'
import { fault } from '../errors.ts'
import {
  addBudget,
  changeBudget,
  type KeepDeps,
  raiseBudget,
  readBudget,
  readBudgets,
  readUse,
  removeBudget,
} from './keep-budgets.ts'

type Deps = KeepDeps & { access: Access; flush(): Promise<void> }

const PageQuestion = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(100).default(''),
})

/** To be mounted behind `withCaller`. `flush` books what has ended, so that what is used is complete here. */
export function budgetRoutes(deps: Deps): Router {
  const assertBudget = (
    claims: UserClaims,
    verb: 'create' | 'read' | 'update' | 'delete',
    id: string,
  ) => deps.access.assert(claims, `budget:${verb}`, { type: 'Budget', id, org: claims.org })
  const ownerOf = ({ org, sub: user }: UserClaims) => ({ org, user })

  return Router()
    .post('/api/budgets', json(), async (request, response) => {
      const claims = userOf(response)
      const added = parsed(NewBudget, request.body)
      assertBudget(claims, 'create', added.name)
      response.status(201).json(await addBudget(added, ownerOf(claims), deps))
    })
    .get('/api/budgets', async (request, response) => {
      const claims = userOf(response)
      assertBudget(claims, 'read', '*')
      const page = parsed(PageQuestion, { ...request.query })
      response.json(await readBudgets(claims.org, page, deps))
    })
    .get('/api/budgets/:name', async (request, response) => {
      const claims = userOf(response)
      assertBudget(claims, 'read', request.params.name)
      response.json(await readBudget(claims.org, request.params.name, deps))
    })
    .get('/api/budgets/:name/use', async (request, response) => {
      const claims = userOf(response)
      assertBudget(claims, 'read', request.params.name)
      await deps.flush().catch(() => {}) // The database is asked next, and says what is wrong with it.
      response.json(await readUse(claims.org, request.params.name, deps))
    })
    .put('/api/budgets/:name', json(), async (request, response) => {
      const claims = userOf(response)
      const { name } = request.params
      assertBudget(claims, 'update', name)
      const change = parsed(BudgetChange, request.body)
      response.json(await changeBudget(name, change, ownerOf(claims), deps))
    })
    .post('/api/budgets/:name/raise', json(), async (request, response) => {
      const claims = userOf(response)
      const { name } = request.params
      assertBudget(claims, 'update', name)
      const raise = parsed(BudgetRaise, request.body)
      response.json(await raiseBudget(name, raise, ownerOf(claims), deps))
    })
    .delete('/api/budgets/:name', async (request, response) => {
      const claims = userOf(response)
      assertBudget(claims, 'delete', request.params.name)
      await removeBudget(request.params.name, ownerOf(claims), deps)
      response.status(204).end()
    })
}

function parsed<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = parseStored(schema, input)
  if (!result.ok) throw fault('budget/invalid', { problems: result.problems })
  return result.value
}
