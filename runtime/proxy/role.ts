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
import { startPrices } from './prices/price-source.ts'
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
  const { prices } = starting.use(await startPrices({ config, log, now }))
  const sandboxes = createSandboxes(config.breaker.callsMax)
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
  const intake = createIntake({ config, providers, prices, sandboxes, ledger, turns, log, now })
  const handle = createHandler({ identify, intake, providers, log })
  const routes = proxyRoutes({
    db,
    vault,
    providers,
    prices,
    sandboxes,
    ledger,
    verify,
    access,
    now,
  })
  const { url } = starting.use(await listen(routes, 0, log))
  const { url: modelUrl } = starting.use(await listenModels(config, handle, intake.settled))
  const started = starting.move()
  return { url, modelUrl, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
