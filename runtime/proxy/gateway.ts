// All that carries model calls, in one process: the role's own, and each worker's. What people and other roles ask stands in routes.ts.
import { holdFolder } from '#kernel/hold-folder.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { RoleDeps } from '#kernel/role.ts'
import { createVault, type Vault } from '#kernel/vault.ts'
import { createBodies } from './bodies.ts'
import { type Budgets, startBudgets } from './budgets/budgets.ts'
import { createIdentify } from './caller.ts'
import type { GatewayConfig } from './config.ts'
import { createHandler } from './handler.ts'
import { createIntake } from './intake.ts'
import { createKeys, type Keys } from './keys.ts'
import { type Ledger, startLedger } from './ledger.ts'
import { listenModels } from './model-server.ts'
import { startExport } from './observe/export/start-export.ts'
import { addGauges } from './observe/gauges.ts'
import { type Observer, startObserver } from './observe/observer.ts'
import { startPrices } from './prices/price-source.ts'
import type { Prices } from './prices/prices.ts'
import { expiryLookMs, warnOfExpiry } from './provider-settings.ts'
import { type Providers, readMasterKey, startProviders } from './providers.ts'
import { rewrapProviders } from './rewrap.ts'
import { createHealth } from './routing/health.ts'
import { createRouter, type Router } from './routing/router.ts'
import { type Rules, startRules } from './routing/rules.ts'
import { createStored } from './routing/stored.ts'
import { createSandboxes, type Sandboxes, sandboxesMax } from './sandboxes.ts'
import { sumSpent } from './sql/calls.ts'
import { startTurns } from './turns.ts'

const firstKeysMsMax = 2_000
// How long something cools is no matter of what the clock is set to meanwhile.
const steadyNow = () => new Date(performance.timeOrigin + performance.now())
const holdMsMax = 10_000 // A worker whose parent was killed lets go within 3 s.
const storedMs = 500 // A response that is stored is mostly gone on from after seconds.
const spentMs = 2 * 86_400_000 // Longer than any sandbox's token lives.

export type Gateway = AsyncDisposable & {
  /** The public port. */
  modelUrl: URL
  vault: Vault
  prices: Prices
  providers: Providers
  sandboxes: Sandboxes
  ledger: Ledger
  observer: Observer
  budgets: Budgets
  rules: Rules
  router: Router
  keys: Keys
  /** All that was booked here until now is in PostgreSQL when this resolves. */
  flush(): Promise<void>
  /** What people set is read again when this resolves: no call begins with what was before. */
  refresh(): Promise<void>
}
export type GatewayDeps = Omit<RoleDeps, 'access'> & {
  /** Which of the further processes it is; undefined = the first one. */
  worker?: number
}

/** Disposed in reverse: no new calls, then those in flight are booked, then the files are closed. */
export async function startGateway(config: GatewayConfig, deps: GatewayDeps): Promise<Gateway> {
  const { db, log, now, verify, peers, folder } = deps
  await using starting = new AsyncDisposableStack()
  starting.use(await holdFolder(folder, holdMsMax))
  const previous = config.previousMasterKeyFile
  const vault = createVault(
    readMasterKey(config.masterKeyFile),
    ...(previous === null ? [] : [readMasterKey(previous)]),
  )
  if (previous !== null) await rewrapProviders({ db, vault, log })
  const { prices } = starting.use(await startPrices({ config, log, now }))
  const sandboxes = createSandboxes()
  const observer = starting.use(startObserver({ config, log }))
  const ledger = starting.use(
    await startLedger({ folder, config: config.ledger, db, log, now, prices }),
  )
  if (config.lineSocket !== null) {
    const since = new Date(now().getTime() - spentMs)
    for (const { sandbox, tokens, nano_usd } of await db.any(sumSpent(since, sandboxesMax))) {
      sandboxes.restore(sandbox, { tokens, nanoUsd: nano_usd })
    }
  }
  // After the ledger: all that the last process booked is in the database by then.
  const budgets = starting.use(await startBudgets({ db, log, now, holder: ledger.journal }))
  const turns = starting.use(await startTurns({ folder, config: config.turns, peers, log }))
  const providers = starting.use(await startProviders({ config, db, vault, log, now }))
  starting.use(startRepeating(providers.refresh, config.providersPollMs, log))
  const warn = async () => warnOfExpiry(providers.all(), log, now())
  starting.use(startRepeating(warn, expiryLookMs, log))
  const keys = createKeys(peers, now, config.keysStaleMsMax)
  await keys.refresh(AbortSignal.timeout(firstKeysMsMax)).catch(() => {}) // Where auth is not up yet, the next turn has them.
  starting.use(startRepeating(keys.refresh, config.keysPollMs, log))
  const rules = await startRules({ db, log })
  starting.use(startRepeating(rules.refresh, config.rulesPollMs, log))
  const stored = createStored({ db, log, now })
  starting.use(startRepeating(stored.write, storedMs, log))
  const health = createHealth(steadyNow)
  const router = createRouter({ providers, rules, health, now })
  const identify = createIdentify(keys, verify, now)
  const { worker } = deps
  starting.use(startExport({ config: config.export, worker, ledger, observer, folder, log, now }))
  const watched = { providers, ledger, observer, log, now }
  const money = { prices, budgets, sandboxes }
  const said = { turns, bodies: createBodies() }
  const intake = createIntake({ config, router, stored, ...said, ...money, ...watched })
  const handle = createHandler({ identify, intake, rules, ...watched })
  const doors = starting.use(await listenModels(config, handle, intake.end))
  addGauges(observer, { ledger, turns, budgets, doors })
  const { url: modelUrl } = doors
  const started = starting.move()
  return {
    modelUrl,
    vault,
    prices,
    providers,
    sandboxes,
    ledger,
    observer,
    budgets,
    rules,
    router,
    keys,
    flush: ledger.flush,
    refresh: async () =>
      void (await Promise.all([providers.refresh(), budgets.refresh(), rules.refresh()])),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
