// A master key is changed by naming the new file and the old one: at the start every credential that is still under the old
// one moves. When all have moved, the old file may go.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type { Vault } from '#kernel/vault.ts'
import { providersMax, sealedName } from './providers.ts'
import { listProviders, rewrapProvider } from './sql/providers.ts'

type Deps = { db: DatabasePool; vault: Vault; log: Logger }

/** Done twice, or by several processes at once, it comes to the same. One that can't be opened is told, and left. */
export async function rewrapProviders({ db, vault, log }: Deps): Promise<void> {
  let moved = 0
  let left = 0
  for (const row of await db.any(listProviders(providersMax))) {
    try {
      const sealed = { wrappedKey: row.wrapped_key, ciphertext: row.ciphertext }
      const next = vault.rewrap(sealedName(row.org, row.name), sealed)
      if (!next) continue
      await db.query(rewrapProvider(row.id, row.wrapped_key, next.wrappedKey))
      moved += 1
    } catch (error) {
      left += 1
      log.error(
        { error, provider: row.name, org: row.org },
        'a credential is under neither master key',
      )
    }
  }
  const say =
    left === 0 ? 'the previous master key is no longer needed' : 'keep the previous master key'
  log.info({ moved, left }, say)
}
