import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { listen } from '#kernel/http.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import { type Programs, readInventory, readVersion } from './agents/programs.ts'
import { agentRoutes } from './agents/routes.ts'
import type { SpoolConfig } from './config.ts'
import { createHub } from './live/hub.ts'
import { readOwner } from './owner.ts'
import { endOldLoops } from './retention.ts'
import { spoolRoutes } from './routes.ts'
import { startSlots } from './runner/slots.ts'
import { sweepFolder } from './sweep.ts'

const sweepMs = 3_600_000 // What is kept is counted in days.

/** Wires the role. The caller disposes it: first no new requests, then the runners, which give their leases back. */
export async function startSpool(config: SpoolConfig, deps: RoleDeps): Promise<Role> {
  await using starting = new AsyncDisposableStack()
  const appFolder = config.appFolder ?? fileURLToPath(new URL('../../', import.meta.url))
  const inventory = readInventory(appFolder)
  const host: Programs = {
    app: appFolder.replace(/\/$/, ''),
    node: config.nodePath ?? process.execPath,
    agents: inventory.found,
  }
  const written = new EventEmitter().setMaxListeners(config.followersMax)
  const { listenersMax } = config
  const hub = createHub({ deps, version: readVersion(appFolder) ?? 'unknown', listenersMax })
  starting.use(hub)
  const onWritten = (loop: string, org: string) => {
    written.emit(loop)
    hub.ring(org)
  }
  await sweepFolder(deps.db, deps.folder)
  const sweep = (signal: AbortSignal) => endOldLoops(deps, config.keepMs, signal)
  starting.use(startRepeating(sweep, sweepMs, deps.log))
  const owner = readOwner(deps.folder)
  const slots = starting.use(startSlots({ config, deps, owner, host, onWritten }))
  const stopping = new AbortController()
  const { signal } = stopping
  const routes = spoolRoutes({ config, deps, slots, hub, written, appFolder, stopping: signal })
  routes.use(agentRoutes(deps, inventory))
  const { url } = starting.use(await listen(routes, 0, deps.log))
  const started = starting.move()
  return {
    url,
    [Symbol.asyncDispose]() {
      stopping.abort() // Whoever follows events or listens would hold the server open.
      hub.end()
      return started.disposeAsync()
    },
  }
}
