import { Client } from 'pg'
import { roleNames } from './tokens.ts'

// Logins are the roles' own names: what a role may touch is then PostgreSQL's to enforce.
const makeLogins = roleNames.map(
  (role) => `
  do $$ begin
    if not exists (select from pg_roles where rolname = '${role}') then create role ${role} login; end if;
  end $$;
  create schema if not exists ${role} authorization ${role};
  alter role ${role} set search_path = ${role};`,
)

/** Makes the database, and for each role a login that owns its schema and no other. Safe to repeat. */
export async function prepareDatabase(serverUrl: string, databaseUrl: string): Promise<void> {
  const name = new URL(databaseUrl).pathname.slice(1)
  await withClient(serverUrl, async (client) => {
    const found = await client.query('select from pg_database where datname = $1', [name])
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
  })
  await withClient(databaseUrl, async (client) => {
    await client.query(makeLogins.join('\n'))
  })
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(url)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
