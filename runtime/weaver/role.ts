import { listen } from '#kernel/http.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { Signer } from '#kernel/tokens.ts'
import { createBackend } from './backend/backend.ts'
import type { WeaverConfig } from './config.ts'
import { endLeftovers } from './leftovers.ts'
import { weaverRoutes } from './routes.ts'
import { createSandboxes } from './sandboxes.ts'
import { startSweep, startWatch } from './sweep.ts'
import { handleTerminals } from './terminal.ts'
import { createUids, noUids } from './uids.ts'
import { startWarmUp } from './warm-up.ts'

export type WeaverDeps = RoleDeps & { sign: Signer }

/** Wires the role. Disposing it ends every sandbox: none outlives the process that holds it. */
export async function startWeaver(config: WeaverConfig, deps: WeaverDeps): Promise<Role> {
  await using starting = new AsyncDisposableStack()
  const backend = await createBackend(config, deps.folder)
  await endLeftovers({ ...deps, config, backend })
  const uids = backend.host.isRoot ? createUids(config.uidBase, config.uidCount) : noUids
  const sandboxes = starting.use(createSandboxes({ ...deps, config, backend, uids }))
  const all = { ...deps, config, sandboxes }
  starting.use(startWarmUp({ ...deps, backend, uids }))
  starting.use(startWatch(all))
  starting.use(startSweep(all))
  const { url, server } = starting.use(await listen(weaverRoutes(all), 0, deps.log))
  starting.use(handleTerminals(server, all))
  const { walls, wallProblems, cgroups } = backend.host
  if (walls === null) deps.log.warn({ wallProblems }, 'only sandboxes without walls can be made')
  else deps.log.info({ walls, cgroups: cgroups?.version ?? null }, 'sandboxes can be made')
  const started = starting.move()
  return { url, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
