import { sql } from 'slonik'
import { z } from 'zod'

type LinkToStore = {
  hash: string
  org: string
  user: string
  isLocalOwner: boolean
  expiresAt: Date
}

export const insertLink = (link: LinkToStore) =>
  sql.unsafe`
    insert into auth.login_links (code_hash, org, user_id, is_local_owner, expires_at)
    values (${link.hash}, ${link.org}, ${link.user}, ${link.isLocalOwner},
      ${sql.timestamp(link.expiresAt)})`

const Used = z.object({ org: z.string(), user_id: z.string(), is_local_owner: z.boolean() })

/** Uses a link up: of any number of callers at the same time, one gets a row. */
export const useLink = (hash: string, now: Date) =>
  sql.type(Used)`
    update auth.login_links set used_at = ${sql.timestamp(now)}
    where code_hash = ${hash} and used_at is null and expires_at > ${sql.timestamp(now)}
    returning org, user_id, is_local_owner`

export const deleteOldLinks = (now: Date) =>
  sql.unsafe`delete from auth.login_links where expires_at <= ${sql.timestamp(now)}`
