import { Router } from 'express'
import { userOf, withCaller } from '#kernel/caller.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { AgentInfo } from '../api.ts'
import { listAgents } from './list.ts'
import type { Inventory } from './programs.ts'

/** `GET /api/agents`: whoever may sign in may know them; where they lie is the owner's business. */
export const agentRoutes = ({ verify }: RoleDeps, inventory: Inventory): Router =>
  Router()
    .use('/api/agents', withCaller(verify))
    .get('/api/agents', (_, response) => {
      const isOwner = ['owner-token', 'owner-session'].includes(userOf(response).channel)
      const items: AgentInfo[] = listAgents(inventory, isOwner)
      response.json({ items, cursor: null })
    })
