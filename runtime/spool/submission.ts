// A loop comes in: stored whole, or refused with every problem, of its shape and of the world at once.
import { randomUUID } from 'node:crypto'
import type { Problem } from '#kernel/parse.ts'
import { parseStored } from '#kernel/parse.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { type Loop, NewLoop } from './api.ts'
import { fault } from './errors.ts'
import { toLoop } from './loop.ts'
import { toResource } from './resource.ts'
import { findLoop, insertLoop } from './sql/loops.ts'
import { findProblems, isTrusted, toDraft } from './submit.ts'

type Around = { deps: RoleDeps; appFolder: string; onStored: (org: string) => void }

export async function submit(around: Around, claims: UserClaims, body: unknown): Promise<Loop> {
  const parsed = parseStored(NewLoop, body)
  if (parsed.ok) return store(around, claims, { loop: parsed.value, retryOf: null })
  const inWorld = await findWorldProblems(around, claims, body)
  const named = new Set(parsed.problems.map(({ path }) => path))
  const problems = [...parsed.problems, ...inWorld.filter(({ path }) => !named.has(path))]
  throw fault('loop/invalid', { problems })
}

/** Of what is whole in it. Who may not submit it learns nothing of the world. */
async function findWorldProblems(
  { deps, appFolder }: Around,
  claims: UserClaims,
  body: unknown,
): Promise<Problem[]> {
  const id = randomUUID()
  const loop = toDraft(body)
  const { sub: user_id, org } = claims
  const resource = toResource({ id, org, user_id, repository: loop.repository ?? '/' })
  if (!deps.access.decide(claims, 'loop:create', resource).allowed) return []
  return findProblems({ id, loop, claims, appFolder })
}

export async function store(
  { deps, appFolder, onStored }: Around,
  claims: UserClaims,
  { loop, retryOf }: { loop: NewLoop; retryOf: string | null },
): Promise<Loop> {
  const { sub: user, org, team } = claims
  const id = randomUUID()
  const resource = toResource({ id, org, user_id: user, repository: loop.repository })
  deps.access.assert(claims, 'loop:create', resource)
  const problems = await findProblems({ id, loop, claims, appFolder })
  if (problems.length > 0) throw fault('loop/invalid', { problems })
  const row = { id, org, user, team, spec: loop, retryOf, isTrusted: isTrusted(claims) }
  await deps.db.query(insertLoop(row))
  onStored(org)
  return toLoop(await deps.db.one(findLoop(org, id)))
}
