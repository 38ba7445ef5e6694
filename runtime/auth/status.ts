// What is up at this moment: every role is asked, and the database.
import type { DatabasePool } from 'slonik'
import { request as send } from 'undici'
import type { RoleName } from '#kernel/tokens.ts'
import type { Status } from './api.ts'
import { probe } from './sql/probe.ts'

/** What the starter knows; `roles` by name, up or not. */
export type Instance = Omit<Status, 'roles' | 'database'> & { roles: readonly string[] }

type Deps = {
  instance: () => Instance
  urls: ReadonlyMap<RoleName, URL>
  db: DatabasePool
}

const waitMs = 1_000
const freshMs = 300 // Many consoles that look at the same time are one look.

/** Answers within `waitMs`, whatever hangs. */
export function createStatus({ instance, urls, db }: Deps): () => Promise<Status> {
  const look = async (): Promise<Status> => {
    const { roles: names, ...rest } = instance()
    const [database, ...roles] = await Promise.all([
      isDatabaseUp(db),
      ...names.map(async (role) => ({ role, up: await isUp(urls.get(role as RoleName)) })),
    ])
    return { ...rest, roles, database: database ? 'up' : 'down' }
  }
  let last: { at: number; status: Promise<Status> } | undefined
  return () => {
    const at = performance.now()
    if (!last || at - last.at > freshMs) last = { at, status: look() }
    return last.status
  }
}

/** Any answer is a sign of life: without a token it is a refusal. */
async function isUp(url: URL | undefined): Promise<boolean> {
  if (!url) return false
  try {
    const signal = AbortSignal.timeout(waitMs)
    const { body } = await send(new URL('/', url), { signal })
    await body.dump()
    return true
  } catch {
    return false
  }
}

async function isDatabaseUp(db: DatabasePool): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, waitMs, false)
  const found = db.one(probe()).then(
    () => true,
    () => false,
  )
  const isThere = await Promise.race([found, late])
  clearTimeout(timer)
  return isThere
}
