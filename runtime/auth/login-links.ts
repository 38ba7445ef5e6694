import type { DatabasePool } from 'slonik'
import type { LoginLink } from './api.ts'
import { fault } from './errors.ts'
import { hashOf, newSecretText } from './secret-text.ts'
import type { Sessions } from './sessions.ts'
import { insertEvent } from './sql/access-log.ts'
import { deleteOldLinks, insertLink, useLink } from './sql/login-links.ts'

type Maker = {
  org: string
  user: string
  channel?: string
  /** Proved to be who can read the owner's file on this machine. */
  isLocalOwner: boolean
}
/** `isDirect`: it sits at this machine. */
type Browser = { address: string; browser: string | null; isDirect: boolean }

export type LoginLinks = {
  create(maker: Maker, origin: string): Promise<LoginLink>
  /** Uses a code up and answers a new session's cookie value; of any number at once one gets it. */
  use(code: string, browser: Browser): Promise<string>
  sweep(): Promise<void>
}

type More = { sessions: Sessions; linkMs: number; now: () => Date }

export function createLoginLinks(db: DatabasePool, { sessions, linkMs, now }: More): LoginLinks {
  return {
    async create({ org, user, channel, isLocalOwner }, origin) {
      const code = newSecretText()
      const expiresAt = new Date(now().getTime() + linkMs)
      await db.transaction(async (transaction) => {
        const link = { hash: hashOf(code), org, user, isLocalOwner, expiresAt }
        await transaction.query(insertLink(link))
        await transaction.query(insertEvent(now(), { event: 'link-made', org, user, channel }))
      })
      const url = new URL(`/auth/sign-in?code=${code}`, origin).href
      return { url, expiresAt: expiresAt.toISOString() }
    },
    use: (code, { address, browser, isDirect }) =>
      db.transaction(async (transaction) => {
        const used = await transaction.maybeOne(useLink(hashOf(code), now()))
        if (!used) throw fault('auth/link-over')
        const { org, user_id: user } = used
        const isLocalOwner = used.is_local_owner && isDirect
        const session = { org, user, isLocalOwner, address, browser }
        const token = await sessions.begin(transaction, session)
        const channel = isLocalOwner ? 'owner-session' : 'session'
        await transaction.query(
          insertEvent(now(), { event: 'sign-in', org, user, channel, address }),
        )
        return token
      }),
    async sweep() {
      await db.query(deleteOldLinks(now()))
    },
  }
}
