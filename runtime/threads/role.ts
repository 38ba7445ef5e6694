import { listen } from '#kernel/http.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { ThreadsConfig } from './config.ts'
import { deleteStale } from './retention.ts'
import { threadsRoutes } from './routes.ts'

/** Wires the role. The caller disposes it: first no new requests, then no sweep. */
export async function startThreads(config: ThreadsConfig, deps: RoleDeps): Promise<Role> {
  const { db, log, now } = deps
  await using starting = new AsyncDisposableStack()
  const sweep = (signal: AbortSignal) =>
    deleteStale(db, new Date(now().getTime() - config.retentionMs), log, signal)
  starting.use(startRepeating(sweep, config.sweepMs, log))
  const { url } = starting.use(await listen(threadsRoutes(deps), config.port, log))
  const started = starting.move()
  return { url, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
