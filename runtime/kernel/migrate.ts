import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'

const triesMax = 20 // A second replica waits for the first one's migration; the longest is far under 10 s.
const silent = () => {}
const logger = { debug: silent, info: silent, warn: silent, error: silent }

/** Brings a role's own schema up to date. Safe to run in several processes at once: one works, the others wait. */
export async function migrate(databaseUrl: string, schema: string, folder: URL): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      await runner({
        databaseUrl,
        dir: fileURLToPath(folder),
        direction: 'up',
        migrationsTable: 'migrations',
        migrationsSchema: schema,
        schema,
        count: Number.POSITIVE_INFINITY,
        logger,
      })
      return
    } catch (error) {
      const isBusy = error instanceof Error && /already running/.test(error.message)
      if (!isBusy || tried === triesMax) throw error
      await sleep(500)
    }
  }
}
