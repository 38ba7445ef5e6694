import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { prepareDatabase } from '#kernel/database.ts'
import { migrate } from '#kernel/migrate.ts'
import { startPostgres as startServer } from '#kernel/postgres.ts'
import type { RoleName } from '#kernel/tokens.ts'
import { copyCluster, toServerOptions } from './cluster.ts'

export type TestPostgres = AsyncDisposable & {
  url(role: RoleName): string
  migrate(role: RoleName): Promise<void>
  /** Ends the server as a crash would; `start` brings it back on the same data. */
  kill(): Promise<void>
  start(): Promise<void>
  /** One statement as the superuser, e.g. to look at tables of a role. */
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
}

/** A real PostgreSQL of its own, with a login and a schema for each role. Throw-away, so without fsync. */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  chmodSync(folder, 0o711)
  const options = toServerOptions(folder)
  await copyCluster(options.folder)
  let server = await startServer(options)
  const admin = () => server.url('postgres', 'treadle')
  await prepareDatabase(server.url('postgres', 'postgres'), admin())
  const url = (role: RoleName) => server.url(role, 'treadle')
  return {
    url,
    migrate: (role) => migrate(url(role), role, new URL(`../${role}/migrations/`, import.meta.url)),
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server.ended
    },
    async start() {
      server = await startServer(options)
    },
    async query(text, values) {
      await using client = await connected(admin())
      return (await client.query(text, values)).rows as Record<string, unknown>[]
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function connected(url: string) {
  const client = new Client(url)
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}
