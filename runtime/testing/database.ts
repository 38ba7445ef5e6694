import { join } from 'node:path'
import pg from 'pg'
import type { TestAppliance } from './appliance.ts'
import { runFolder } from './sleeping-agent.ts'

/** The PostgreSQL of a running Treadle, as its superuser: past every role, for what no route does. */
export async function connectDatabase(
  treadle: TestAppliance,
): Promise<pg.Client & AsyncDisposable> {
  const host = join(runFolder(treadle), 'pg')
  const client = new pg.Client({ host, user: 'postgres', database: 'treadle' })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}
