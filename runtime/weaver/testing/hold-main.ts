// A process of its own that holds one sandbox until it is killed: for fault.test.ts.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { openDatabase } from '#kernel/db.ts'
import { createLog } from '#kernel/log.ts'
import { createPeers } from '#kernel/peers.ts'
import { createVerifier } from '#kernel/tokens.ts'
import { allowAll, serviceClaims, testSigner, testTrust, tokenFor } from '../../testing/deps.ts'
import type { WeaverConfig } from '../config.ts'
import { startWeaver } from '../role.ts'
import { newSandbox } from '../testing.ts'

type Given = { config: WeaverConfig; databaseUrl: string }

/** Reads what it is given from standard input, and prints the sandbox's id. */
async function hold(): Promise<void> {
  const { config, databaseUrl } = (await json(process.stdin)) as Given
  const url = await startRole(config, databaseUrl)
  const token = await tokenFor(serviceClaims('spool'), 'weaver')
  const response = await fetch(new URL('/api/sandboxes', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(newSandbox),
  })
  process.stdout.write(`${((await response.json()) as { id: string }).id}\n`)
}

async function startRole(config: WeaverConfig, databaseUrl: string): Promise<URL> {
  const folder = join(config.sandboxFolder, '..', 'holder')
  mkdirSync(folder, { mode: 0o700 })
  const sign = testSigner('weaver')
  const { url } = await startWeaver(config, {
    log: createLog('silent', process.stderr),
    now: () => new Date(),
    db: await openDatabase(databaseUrl),
    verify: createVerifier('weaver', testTrust),
    peers: createPeers('weaver', sign, new Map()),
    access: allowAll,
    folder,
    sign,
  })
  return url
}

if (import.meta.main) await hold()
