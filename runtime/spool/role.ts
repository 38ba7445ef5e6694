import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { listen } from '#kernel/http.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { Programs } from './agents/profile.ts'
import type { SpoolConfig } from './config.ts'
import { readOwner } from './owner.ts'
import { spoolRoutes } from './routes.ts'
import { startSlots } from './runner/slots.ts'
import { sweepFolder } from './sweep.ts'

/** Wires the role. The caller disposes it: first no new requests, then the runners, which give their leases back. */
export async function startSpool(config: SpoolConfig, deps: RoleDeps): Promise<Role> {
  await using starting = new AsyncDisposableStack()
  const appFolder = config.appFolder ?? fileURLToPath(new URL('../../', import.meta.url))
  const host: Programs = {
    app: appFolder.replace(/\/$/, ''),
    node: config.nodePath ?? process.execPath,
  }
  const written = new EventEmitter().setMaxListeners(config.followersMax)
  const onWritten = (loop: string) => void written.emit(loop)
  await sweepFolder(deps.db, deps.folder)
  const owner = readOwner(deps.folder)
  const slots = starting.use(startSlots({ config, deps, owner, host, onWritten }))
  const stopping = new AbortController()
  const routes = spoolRoutes({ config, deps, slots, written, appFolder, stopping: stopping.signal })
  const { url } = starting.use(await listen(routes, 0, deps.log))
  const started = starting.move()
  return {
    url,
    [Symbol.asyncDispose]() {
      stopping.abort() // Whoever follows events would hold the server open.
      return started.disposeAsync()
    },
  }
}
