import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { prepareDatabase } from '#kernel/database.ts'
import type { Logger } from '#kernel/log.ts'
import { migrate } from '#kernel/migrate.ts'
import { type Postgres, type PostgresOptions, startPostgres } from '#kernel/postgres.ts'
import type { RoleName } from '#kernel/tokens.ts'
import type { StateFolder } from './state.ts'

export type Database = AsyncDisposable & { url(role: RoleName): string }

const databaseName = 'treadle'
// A uid of its own, next to the sandboxes' range: nothing else on the machine runs as it.
const postgresOwner = { uid: 299_999, gid: 299_999 }

/** The embedded PostgreSQL, kept up until disposed. */
export async function startEmbedded(
  state: StateFolder,
  programs: string,
  log: Logger,
): Promise<Database> {
  const options: PostgresOptions = {
    programs,
    folder: join(state.path, 'postgres'),
    socketFolder: join(state.run, 'pg'),
    owner: process.getuid?.() === 0 ? postgresOwner : null,
    fsync: 'on',
    log,
  }
  const keeper = await keepUp(options, log)
  await prepareDatabase(keeper.url('postgres', 'postgres'), keeper.url('postgres', databaseName))
  return { url: (role) => keeper.url(role, databaseName), [Symbol.asyncDispose]: keeper.stop }
}

/** A PostgreSQL that somebody else runs, by a superuser's URL. Each role gets its own login over the same way. */
export async function useExternal(serverUrl: string): Promise<Database> {
  const urlOf = (login?: string) => {
    const url = new URL(serverUrl)
    if (login !== undefined) url.username = login
    url.pathname = `/${databaseName}`
    return url.href
  }
  await prepareDatabase(serverUrl, urlOf())
  return { url: urlOf, async [Symbol.asyncDispose]() {} }
}

const restartMsMax = 5_000

/** Starts the server again whenever it ends unasked; the roles' pools find it at the same socket. */
async function keepUp(options: PostgresOptions, log: Logger) {
  let isWanted = true
  let server: Postgres = await startPostgres(options)
  const watching = watch()
  return {
    url: (login: string, database: string) => server.url(login, database),
    async stop() {
      isWanted = false
      await server[Symbol.asyncDispose]()
      await watching
    },
  }

  async function watch(): Promise<void> {
    for (let waitMs = 100; isWanted; ) {
      const startedAt = Date.now()
      await server.ended
      if (!isWanted) return
      log.error('PostgreSQL ended by itself; starting it again')
      if (Date.now() - startedAt > 60_000) waitMs = 100
      await sleep(waitMs)
      waitMs = Math.min(waitMs * 2, restartMsMax)
      server = await startPostgres(options).catch((error: unknown) => {
        log.error({ error }, 'PostgreSQL did not start')
        return server // Its `ended` has resolved: the loop waits longer, then tries again.
      })
    }
  }
}

/** One after the other: node-pg-migrate holds one lock for the whole database. */
export async function migrateAll(database: Database, roles: readonly RoleName[]): Promise<void> {
  for (const role of roles) {
    await migrate(database.url(role), role, new URL(`../${role}/migrations/`, import.meta.url))
  }
}
