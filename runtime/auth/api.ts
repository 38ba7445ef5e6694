// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'

export const NewKey = z.strictObject({
  name: z.string().min(1).max(100),
  /** Default: no end. */
  expiresInDays: z.int().min(1).max(3_650).optional(),
})
export type NewKey = z.infer<typeof NewKey>

export type Key = {
  id: string
  name: string
  org: string
  user: string
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
  revokedAt: string | null
}
/** Only the answer that makes a key holds its text. */
export type MadeKey = Key & { key: string }

export type Me = {
  user: string
  org: string
  role: 'owner' | 'member'
  channel: 'owner-token' | 'session' | 'key'
}
export type LoginLink = { url: string; expiresAt: string }
export type Status = {
  version: string
  startedAt: string
  url: string
  proxyUrl: string
  roles: { role: string; up: boolean }[]
}
/** `GET /internal/keys`, for the proxy: what it needs to check a key in memory. `hash` is SHA-256, hex. */
export type KeyCheck = {
  id: string
  hash: string
  org: string
  user: string
  expiresAt: string | null
}
/** Newest first; never more than an organisation may have, so in one page. */
export type KeyList = { items: Key[]; cursor: null }
