// Routes about what a loop's passes did. Reading only.
import { type Request, Router } from 'express'
import type { RoleDeps } from '#kernel/role.ts'
import type { Pass } from './api.ts'
import { fault } from './errors.ts'
import { sendChanges, sendRecording } from './keepsakes.ts'
import { sendOutput } from './output.ts'
import { toPass } from './pass.ts'
import { OutputQuery, PassesQuery, read } from './queries.ts'
import type { Find } from './routes.ts'
import { wholeLoop } from './sql/keepsakes.ts'
import { listPasses } from './sql/passes.ts'

export function passRoutes(deps: RoleDeps, find: Find): Router {
  const { db } = deps
  return Router()
    .get('/api/loops/:id/passes', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      const { after, limit } = read(PassesQuery, request.query)
      response.json((await db.any(listPasses(id, after, limit))).map(toPass) satisfies Pass[])
    })
    .get('/api/loops/:id/passes/:pass/changes', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      await sendChanges(response, db, id, passOf(request))
    })
    .get('/api/loops/:id/passes/:pass/recording', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      await sendRecording(response, db, id, passOf(request))
    })
    .get('/api/loops/:id/changes', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      await sendChanges(response, db, id, wholeLoop)
    })
    .get('/api/loops/:id/output', async (request, response) => {
      const { id } = await find(request, response, 'loop:read')
      await sendOutput(response, deps, id, read(OutputQuery, request.query).pass)
    })
}

/** A whole number of at most nine digits, or there is no such pass. */
function passOf({ params }: Request): number {
  const text = String(params['pass'])
  if (!/^[1-9]\d{0,8}$/.test(text)) throw fault('pass/absent')
  return Number(text)
}
