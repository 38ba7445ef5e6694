import { listen } from '#kernel/http.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { ProxyConfig } from './config.ts'
import { startGateway } from './gateway.ts'
import { createObserveAll } from './observe/observed.ts'
import { proxyRoutes } from './routes.ts'
import { type Identity, noWorkers, startWorkers } from './workers.ts'

/** `modelUrl` is the public port; `url` is for the front door and the other roles. */
export type ProxyRole = Role & { modelUrl: URL }

type Deps = RoleDeps & {
  /** What further processes need to be this role; resolves once the other roles can be called. */
  identity: () => Promise<Identity>
}

/** Wires the role. Disposed in reverse. */
export async function startProxy(config: ProxyConfig, deps: Deps): Promise<ProxyRole> {
  const { db, log, now, verify, access, folder, identity } = deps
  await using starting = new AsyncDisposableStack()
  const both = starting.use(createTogether()) // Whoever drains for minutes must not let the other one wait.
  const gateway = both.use(await startGateway(config, deps))
  const { modelUrl } = gateway
  const shared = { ...config, port: Number(modelUrl.port) }
  const count = config.workers - 1
  const workers = both.use(
    count === 0 ? noWorkers : startWorkers({ count, config: shared, identity, folder, log }),
  )
  const all = [gateway, workers]
  const books = { flush: async () => void (await Promise.all(all.map((one) => one.flush()))) }
  const refresh = async () => void (await Promise.all(all.map((one) => one.refresh())))
  const providers = { ...gateway.providers, refresh }
  const { heldHere, explain } = gateway.budgets
  const budgets = { heldHere, explain, refresh }
  const rules = { ...gateway.rules, refresh }
  const observe = createObserveAll(gateway.observer, workers)
  const kept = { providers, budgets, rules, books, observe }
  const routes = proxyRoutes({ ...gateway, ...kept, db, log, verify, access, now })
  const { url } = starting.use(await listen(routes, config.ownPort, log))
  const started = starting.move()
  return { url, modelUrl, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/** Disposes all at once. */
function createTogether() {
  const all: AsyncDisposable[] = []
  return {
    use<One extends AsyncDisposable>(one: One): One {
      all.push(one)
      return one
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()))
    },
  }
}
