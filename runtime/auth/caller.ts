// Who came in: what every peer is told of them, and the session that stays here.
import type { UserClaims } from '#kernel/tokens.ts'

/** Public ids of the session, or of the key, that they came in by; both null for the owner's token. */
export type Caller = { claims: UserClaims; session: string | null; key: string | null }

export const firstOrg = 'default'
export const firstUser = 'owner'
