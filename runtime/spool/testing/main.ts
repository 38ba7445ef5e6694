// For tests alone: a spool in a process of its own, so that it can be killed as a crash would. Its first argument is
// JSON: where its database, folder and peers are. It prints the URL of its routes.
import { createAccess } from '#kernel/access.ts'
import { openDatabase } from '#kernel/db.ts'
import { createLog } from '#kernel/log.ts'
import { createPeers } from '#kernel/peers.ts'
import { createVerifier, type RoleName, type Trust } from '#kernel/tokens.ts'
import type { SpoolConfig } from '../config.ts'
import { startSpool } from '../role.ts'

export type CrashOptions = {
  databaseUrl: string
  folder: string
  peers: [RoleName, string][]
  trust: Trust
  config: SpoolConfig
}

const options = JSON.parse(process.argv[2]!) as CrashOptions
const log = createLog('silent', process.stderr)
const urls = new Map(options.peers.map(([role, url]) => [role, new URL(url)]))
const { url } = await startSpool(options.config, {
  log,
  now: () => new Date(),
  db: await openDatabase(options.databaseUrl),
  verify: createVerifier('spool', options.trust),
  peers: createPeers('spool', async () => 'unsigned', urls),
  access: createAccess(log, new URL('../../../policies/access/', import.meta.url)),
  folder: options.folder,
})
process.stdout.write(`${url}\n`)
