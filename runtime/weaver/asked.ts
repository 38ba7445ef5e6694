// What every route here begins with: who asks, for which sandbox, with what body.
import { json, type RequestHandler, type Response } from 'express'
import type { z } from 'zod'
import type { Action } from '#kernel/access.ts'
import { serviceOf, userOrServiceOf } from '#kernel/caller.ts'
import { parseStored } from '#kernel/parse.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { Claims } from '#kernel/tokens.ts'
import type { Sandbox } from './api.ts'
import type { WeaverConfig } from './config.ts'
import type { Entry } from './entry.ts'
import { fault } from './errors.ts'
import { toSandbox } from './sandbox.ts'
import type { Sandboxes } from './sandboxes.ts'
import { findSandbox } from './sql/sandboxes.ts'

export type RoutesDeps = Pick<RoleDeps, 'db' | 'verify' | 'access' | 'now'> & {
  config: WeaverConfig
  sandboxes: Sandboxes
}

const jsonBytesMax = '2mb' // A prompt of 200,000 characters, escaped at its worst, and the rest.

export const readJson: RequestHandler = json({ limit: jsonBytesMax })

export function toBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = parseStored(schema, body)
  if (!parsed.ok) throw fault('weaver/invalid', { problems: parsed.problems })
  return parsed.value
}

/**
 * The sandbox, when the caller may do this to it: spool may do all, people what a policy allows.
 */
export async function allowed(
  deps: Pick<RoutesDeps, 'db' | 'access' | 'sandboxes'>,
  response: Response,
  action: Action,
  id: string,
): Promise<Sandbox> {
  const claims = callerOf(response)
  return assertAllowed(deps, claims, action, id)
}

export async function assertAllowed(
  { db, access, sandboxes }: Pick<RoutesDeps, 'db' | 'access' | 'sandboxes'>,
  claims: Claims,
  action: Action,
  id: string,
): Promise<Sandbox> {
  const sandbox = liveOne(sandboxes, id) ?? toSandbox(await find(db, id))
  if (claims.kind === 'user') {
    access.assert(claims, action, { type: 'Sandbox', id, org: sandbox.org, owner: sandbox.user })
  }
  return sandbox
}

/** What lives is known here; the table is asked about the others. */
function liveOne(sandboxes: Sandboxes, id: string): Sandbox | null {
  const entry = sandboxes.find(id)
  return entry?.ending ? null : (entry?.sandbox ?? null)
}

async function find(db: RoutesDeps['db'], id: string) {
  const row = await db.maybeOne(findSandbox(id))
  if (!row) throw fault('weaver/absent')
  return row
}

export function callerOf(response: Response) {
  const claims = userOrServiceOf(response)
  return claims.kind === 'service' ? serviceOf(response, 'spool') : claims
}

/** What is up and asked for; a sandbox that ended tells why. */
export function liveOr(sandboxes: Sandboxes, sandbox: Sandbox): Entry {
  const entry = sandboxes.find(sandbox.id)
  if (entry?.started && !entry.ending) return entry
  throw fault('weaver/ended', {
    say: `Reason: ${sandbox.endReason ?? entry?.endReason ?? 'lost'}.`,
  })
}
