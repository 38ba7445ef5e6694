// Puts the whole together: state, keys, programs for other uids, database, rehearsal model, roles. Disposing drains it
// all in the opposite order.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAccess } from '#kernel/access.ts'
import { createLog } from '#kernel/log.ts'
import { openLogFile } from '#kernel/log-file.ts'
import { toText } from '#kernel/parse.ts'
import { type RoleName, roleNames } from '#kernel/tokens.ts'
import type { LoginLink } from '../auth/api.ts'
import type { Instance } from '../auth/status.ts'
import { type Config, loadConfig } from './config.ts'
import { migrateAll, startEmbedded, useExternal } from './database.ts'
import { explainPort, UsageError } from './errors.ts'
import { loadKeys } from './keys.ts'
import type { Options } from './options.ts'
import { prepareReadable, type Readable } from './readable.ts'
import { startRehearsal } from './rehearsal.ts'
import { type StartedRoles, startRoles } from './roles.ts'
import { holdState, prepareState, type StateFolder, writePrivate } from './state.ts'

export type Appliance = AsyncDisposable & {
  url: string | null
  proxyUrl: string | null
  state: StateFolder
  agents: Readable['agents']
  /** Roles that run neither here nor where the configuration's `peers` says. */
  missing: RoleName[]
  /** How long model answers may go on beyond the usual when it is disposed. */
  answersMsMax: number
  createLoginLink(): Promise<LoginLink | null>
}

const app = fileURLToPath(new URL('../../', import.meta.url))
const policies = new URL('../../policies/access/', import.meta.url)
const version = '0.1.0'
const usualDrainMs = 3_000 // As the kernel's listeners.
const noDatabase = () => {} // It never came up: whoever waits for it has the reason.

export async function startAppliance(options: Options): Promise<Appliance> {
  await using starting = new AsyncDisposableStack()
  const state = prepareState(options.state, process.getuid!())
  starting.use(await holdState(state))
  starting.defer(() => rmSync(state.run, { recursive: true, force: true }))
  const keys = loadKeys(state.folder('keys'))
  const readable = prepareReadable(join(state.path, 'readable'), options.searchPath)
  const config = configOf(options, state, readable)
  const log = createLog(config.log.level, openLogFile(state.folder('logs')))
  const booting =
    options.database === undefined
      ? startEmbedded(state, join(readable.path, 'postgres/native'), log)
      : useExternal(options.database)
  starting.defer(() => booting.then((found) => found[Symbol.asyncDispose](), noDatabase))
  const access = createAccess(log, policies) // 0.3 s, while PostgreSQL boots.
  const database = await booting
  await migrateAll(database, options.roles)
  if (options.roles.includes('proxy')) {
    const { url, keyFile } = starting.use(
      await startRehearsal(state.folder('rehearsal'), keys.rehearsalKeyFile, log),
    )
    config.proxy.rehearsal = { url, keyFile }
  }
  const { instance, startedWith } = instanceOf(config)
  const wanted = { config, roles: options.roles, database, keys, state, log, instance, access }
  const explain = (error: unknown) => {
    throw explainPort(error, config)
  }
  const roles = starting.use(await startRoles(wanted).catch(explain))
  startedWith(roles)
  const { url, proxyUrl } = instance()
  writeInstance(state, { url, proxyUrl, rehearsalUrl: config.proxy.rehearsal?.url })
  starting.defer(() => rmSync(join(state.path, 'instance.json'), { force: true }))
  const auth = roles.started.get('auth')
  const all = starting.move()
  return {
    url: url || null,
    proxyUrl: proxyUrl || null,
    state,
    agents: readable.agents,
    missing: roleNames.filter((role) => !roles.urls.has(role)),
    answersMsMax: Math.max(0, config.proxy.drainMs - usualDrainMs),
    createLoginLink: async () =>
      auth && 'createLoginLink' in auth ? (auth as AuthRole).createLoginLink() : null,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

type AuthRole = { createLoginLink(): Promise<LoginLink> }

function configOf(options: Options, state: StateFolder, readable: Readable): Mutable<Config> {
  const run = join(state.run, 'sandboxes')
  mkdirSync(run, { recursive: true, mode: 0o755 })
  const places = {
    state: state.path,
    run: state.run,
    keys: join(state.path, 'keys'),
    readable: readable.path,
    app,
  }
  const parsed = loadConfig(options, places)
  if (!parsed.ok)
    throw new UsageError(`The configuration is not right:\n${toText(parsed.problems)}`)
  return parsed.value
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object | null ? Mutable<T[K]> : T[K] }

/** What `GET /api/status` answers beside what it asks the roles themselves. */
function instanceOf(config: Config) {
  const startedAt = new Date().toISOString()
  let running: StartedRoles | undefined
  const instance = (): Instance => ({
    version,
    startedAt,
    url: running?.started.has('auth') ? running.urls.get('auth')!.origin : '',
    proxyUrl: running?.started.has('proxy') ? publicUrl(running.started.get('proxy')!) : '',
    roles: Object.keys(config).filter((name) => name !== 'peers' && name !== 'log'),
  })
  const startedWith = (roles: StartedRoles) => {
    running = roles
  }
  return { instance, startedWith }
}

// The proxy's `url` is its routes for other roles; model traffic has a port of its own.
const publicUrl = (proxy: object) => ('modelUrl' in proxy ? (proxy.modelUrl as URL).origin : '')

type Urls = { url: string; proxyUrl: string; rehearsalUrl: string | undefined }

/** Lets `treadle` commands find this process. */
function writeInstance(state: StateFolder, { url, proxyUrl, rehearsalUrl }: Urls): void {
  const here = { url: url || null, proxyUrl: proxyUrl || null, rehearsalUrl: rehearsalUrl ?? null }
  const instance = { ...here, pid: process.pid, startedAt: new Date().toISOString() }
  writePrivate(join(state.path, 'instance.json'), JSON.stringify(instance))
}
