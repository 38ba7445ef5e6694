import type { DatabasePool } from 'slonik'
import type { LoginLink } from './api.ts'
import { fault } from './errors.ts'
import { hashOf, newSecretText } from './secret-text.ts'
import type { Sessions } from './sessions.ts'
import { insertEvent } from './sql/access-log.ts'
import { deleteOldLinks, insertLink, useLink } from './sql/login-links.ts'

export type LoginLinks = {
  create(who: { org: string; user: string; channel?: string }, origin: string): Promise<LoginLink>
  /** Uses a code up and answers a new session's cookie value; of any number at once one gets it. */
  use(code: string, address: string): Promise<string>
  sweep(): Promise<void>
}

type More = { sessions: Sessions; linkMs: number; now: () => Date }

export function createLoginLinks(db: DatabasePool, { sessions, linkMs, now }: More): LoginLinks {
  return {
    async create({ org, user, channel }, origin) {
      const code = newSecretText()
      const expiresAt = new Date(now().getTime() + linkMs)
      await db.transaction(async (transaction) => {
        await transaction.query(insertLink({ hash: hashOf(code), org, user, expiresAt }))
        await transaction.query(insertEvent(now(), { event: 'link-made', org, user, channel }))
      })
      const url = new URL(`/auth/sign-in?code=${code}`, origin).href
      return { url, expiresAt: expiresAt.toISOString() }
    },
    use: (code, address) =>
      db.transaction(async (transaction) => {
        const used = await transaction.maybeOne(useLink(hashOf(code), now()))
        if (!used) throw fault('auth/link-over')
        const { org, user_id: user } = used
        const token = await sessions.begin(transaction, org, user)
        await transaction.query(
          insertEvent(now(), { event: 'sign-in', org, user, channel: 'session', address }),
        )
        return token
      }),
    async sweep() {
      await db.query(deleteOldLinks(now()))
    },
  }
}
