// Who came in: what every peer is told of them, and the session that stays here.
import type { UserClaims } from '#kernel/tokens.ts'

/** `session` is its public id; null for a token or a key. */
export type Caller = { claims: UserClaims; session: string | null }

export const firstOrg = 'default'
export const firstUser = 'owner'
