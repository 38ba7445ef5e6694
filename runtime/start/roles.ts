import { setTimeout as sleep } from 'node:timers/promises'
import type { Access } from '#kernel/access.ts'
import { openDatabase } from '#kernel/db.ts'
import type { Logger } from '#kernel/log.ts'
import { createPeers } from '#kernel/peers.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import { createVerifier, type RoleName, type Signer } from '#kernel/tokens.ts'
import type { Instance } from '../auth/status.ts'
import type { Identity } from '../proxy/workers.ts'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import type { Keys } from './keys.ts'
import type { StateFolder } from './state.ts'

export type RolesOptions = {
  config: Config
  roles: readonly RoleName[]
  database: Database
  keys: Keys
  state: StateFolder
  log: Logger
  instance: () => Instance
  access: Access
}

/** What a role needs beyond the common: auth and weaver sign for others, auth forwards to all. */
export type StarterDeps = RoleDeps & {
  sign: Signer
  urls: ReadonlyMap<RoleName, URL>
  instance: () => Instance
  identity: () => Promise<Identity>
}

export type StartedRoles = AsyncDisposable & {
  urls: ReadonlyMap<RoleName, URL>
  started: ReadonlyMap<RoleName, Role>
}

// A role comes after those it calls first; calls in a circle wait for each other by their own retries.
const order: readonly RoleName[] = ['threads', 'proxy', 'weaver', 'spool', 'auth']

const starters: Readonly<Record<RoleName, (config: Config, deps: StarterDeps) => Promise<Role>>> = {
  threads: async ({ threads }, deps) =>
    (await import('../threads/role.ts')).startThreads(threads, deps),
  proxy: async ({ proxy }, deps) => (await import('../proxy/role.ts')).startProxy(proxy, deps),
  weaver: async ({ weaver }, deps) => (await import('../weaver/role.ts')).startWeaver(weaver, deps),
  spool: async ({ spool }, deps) => (await import('../spool/role.ts')).startSpool(spool, deps),
  auth: async ({ auth }, deps) => (await import('../auth/role.ts')).startAuth(auth, deps),
}

/** Starts the roles asked for, each with its own database login, key and folder. Disposing ends them backwards. */
export async function startRoles(options: RolesOptions): Promise<StartedRoles> {
  const { config, roles, keys, database, state, log, instance, access } = options
  await using starting = new AsyncDisposableStack()
  const urls = new Map<RoleName, URL>()
  for (const [role, url] of Object.entries(config.peers))
    if (url) urls.set(role as RoleName, new URL(url))
  const started = new Map<RoleName, Role>()
  for (const role of order.filter((name) => roles.includes(name))) {
    const db = await openDatabase(database.url(role))
    starting.defer(() => db.end())
    const sign = keys.signer(role)
    const deps: StarterDeps = {
      log: log.child({ role }),
      now: () => new Date(),
      db,
      verify: createVerifier(role, keys.trust),
      peers: createPeers(role, sign, urls),
      access,
      folder: state.folder(`roles/${role}`),
      sign,
      urls,
      instance,
      identity: async () => ({
        databaseUrl: database.url(role),
        pem: keys.pem(role),
        trust: keys.trust,
        urls: await untilKnown(urls, ['auth', 'threads']),
        log: { level: config.log.level, folder: state.folder('logs') },
      }),
    }
    const running = starting.use(await starters[role](config, deps))
    started.set(role, running)
    urls.set(role, running.url)
  }
  const all = starting.move()
  return { urls, started, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

const lookMs = 50
const patienceMs = 60_000

/** Roles start one after the other: those that a worker calls may come after its own. */
async function untilKnown(urls: ReadonlyMap<RoleName, URL>, wanted: readonly RoleName[]) {
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(lookMs)) {
    if (wanted.every((role) => urls.has(role)))
      return [...urls].map(([role, url]): [RoleName, string] => [role, url.href])
  }
  throw new Error(`The roles ${wanted.join(' and ')} are not up.`)
}
