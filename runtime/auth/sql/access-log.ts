import { sql } from 'slonik'

export type AccessEvent = {
  event:
    | 'sign-in'
    | 'sign-out'
    | 'session-ended'
    | 'org-entered'
    | 'link-made'
    | 'key-made'
    | 'key-revoked'
    | 'key-changed'
    | 'denied'
  org?: string | undefined
  user?: string | undefined
  channel?: string | undefined
  /** What it was done to: a key's id, or the path that was asked for. */
  subject?: string | undefined
  address?: string | undefined
  requestId?: string | undefined
  detail?: string | undefined
}

export const insertEvent = (now: Date, entry: AccessEvent) =>
  sql.unsafe`
    insert into auth.access_log
      (at, event, org, user_id, channel, subject, address, request_id, detail)
    values (${sql.timestamp(now)}, ${entry.event}, ${entry.org ?? null}, ${entry.user ?? null},
      ${entry.channel ?? null}, ${entry.subject ?? null}, ${entry.address ?? null},
      ${entry.requestId ?? null}, ${entry.detail ?? null})`
