// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'
import { Duration } from '#kernel/units.ts'

const overlapMsMax = 30 * 86_400_000 // Who needs longer needs two keys.

const Team = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'Use lower-case letters, digits and inner hyphens.',
  )

export const NewKey = z.strictObject({
  name: z.string().min(1).max(100),
  /** Whose budgets, policies and routes its calls count in as well; an owner's to say. */
  team: Team.optional(),
  /** Default: no end. */
  expiresInDays: z.int().min(1).max(3_650).optional(),
})
export type NewKey = z.infer<typeof NewKey>

/** `PUT /api/keys/:id`: an owner's to say. The proxy takes it over with its next look at the keys. */
export const KeyChange = z.strictObject({ team: Team.nullable() })
export type KeyChange = z.infer<typeof KeyChange>

/** `POST /api/keys/:id/rotate`: another key of the same name and team, for as long; the old one ends after the overlap. */
export const KeyRotation = z.strictObject({
  /** Default: a day. None = it ends at once. */
  overlap: Duration.refine((ms) => ms <= overlapMsMax, 'At most 30 days.').prefault('24h'),
})
export type KeyRotation = z.infer<typeof KeyRotation>
export type KeyRotationInput = z.input<typeof KeyRotation>

export type Key = {
  id: string
  name: string
  org: string
  user: string
  team: string | null
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
  channel: 'owner-token' | 'owner-session' | 'session' | 'key'
  /** The session's public id; null for whoever came in without one. */
  session: string | null
  /** May name paths of this machine. */
  isLocalOwner: boolean
}
export type LoginLink = { url: string; expiresAt: string }

/** A browser that is signed in. `id` says nothing about the cookie. */
export type Session = {
  id: string
  createdAt: string
  lastUsedAt: string
  expiresAt: string
  /** Where it signed in from; null for a session from before this was kept. */
  address: string | null
  /** Such as `Firefox 131, Linux`; null where the browser is not known. */
  browser: string | null
  isCurrent: boolean
}
/** The caller's own, last used first; never more than one may have, so in one page. */
export type SessionList = { items: Session[]; cursor: null }
export type EndedSessions = { ended: number }

/** An organisation that the caller belongs to. */
export type Org = { id: string; name: string; role: 'owner' | 'member'; isCurrent: boolean }
export type OrgList = { items: Org[]; cursor: null }

export type Status = {
  version: string
  startedAt: string
  url: string
  proxyUrl: string
  /** As it is at this moment: each was asked. */
  roles: { role: string; up: boolean }[]
  database: 'up' | 'down'
}
/** `GET /internal/keys`, for the proxy: what it needs to check a key in memory. `hash` is SHA-256, hex. */
export type KeyCheck = {
  id: string
  hash: string
  org: string
  user: string
  team: string | null
  expiresAt: string | null
}
/** Newest first; never more than an organisation may have, so in one page. */
export type KeyList = { items: Key[]; cursor: null }
