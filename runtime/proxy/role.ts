import { listen } from '#kernel/http.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import { createVault } from '#kernel/vault.ts'
import { createIdentify } from './caller.ts'
import type { ProxyConfig } from './config.ts'
import { createHandler } from './handler.ts'
import { createIntake } from './intake.ts'
import { createKeys } from './keys.ts'
import { startLedger } from './ledger.ts'
import { listenModels } from './model-server.ts'
import { startExport } from './observe/export/start-export.ts'
import { addGauges } from './observe/gauges.ts'
import { startObserver } from './observe/observer.ts'
import { createPrices } from './prices.ts'
import { readMasterKey, startProviders } from './providers.ts'
import { proxyRoutes } from './routes.ts'
import { createSandboxes, sandboxesMax } from './sandboxes.ts'
import { sumSpent } from './sql/calls.ts'
import { startTurns } from './turns.ts'

const spentMs = 2 * 86_400_000 // Longer than any sandbox's token lives.

/** `modelUrl` is the public port; `url` is for the front door and the other roles. */
export type ProxyRole = Role & { modelUrl: URL }

/** Wires the role. Disposed in reverse: no new calls, then those in flight are booked, then the files are closed. */
export async function startProxy(config: ProxyConfig, deps: RoleDeps): Promise<ProxyRole> {
  const { db, log, now, verify, peers, access, folder } = deps
  await using starting = new AsyncDisposableStack()
  const vault = createVault(readMasterKey(config.masterKeyFile))
  const prices = createPrices(config.prices, now)
  const sandboxes = createSandboxes(config.breaker.callsMax)
  const observer = starting.use(startObserver({ config, log }))
  const ledger = starting.use(
    await startLedger({ folder, config: config.ledger, db, log, now, prices }),
  )
  const since = new Date(now().getTime() - spentMs)
  for (const { sandbox, tokens, nano_usd } of await db.any(sumSpent(since, sandboxesMax))) {
    sandboxes.restore(sandbox, { tokens, nanoUsd: nano_usd })
  }
  const turns = starting.use(await startTurns({ folder, config: config.turns, peers, log }))
  const providers = starting.use(await startProviders({ config, db, vault, log, now }))
  starting.use(startRepeating(providers.refresh, config.providersPollMs, log))
  const keys = createKeys(peers, now, config.keysStaleMsMax)
  starting.use(startRepeating(keys.refresh, config.keysPollMs, log))
  const identify = createIdentify(keys, verify, now)
  addGauges(observer, { ledger, turns })
  starting.use(startExport({ config: config.export, ledger, observer, folder, log, now }))
  const watched = { providers, ledger, observer, log, now }
  const intake = createIntake({ config, prices, sandboxes, turns, ...watched })
  const handle = createHandler({ identify, intake, ...watched })
  const routes = proxyRoutes({ db, vault, sandboxes, verify, access, ...watched })
  const { url } = starting.use(await listen(routes, 0, log))
  const { url: modelUrl } = starting.use(await listenModels(config, handle, intake.settled))
  const started = starting.move()
  return { url, modelUrl, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
