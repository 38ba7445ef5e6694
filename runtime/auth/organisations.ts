import type { DatabasePool } from 'slonik'
import type { Access } from '#kernel/access.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Org } from './api.ts'
import type { Caller } from './caller.ts'
import { fault } from './errors.ts'
import type { Sessions } from './sessions.ts'
import { listMemberships } from './sql/organisations.ts'

export type Organisations = {
  /** Those that the caller may see: for a token or a key its own, for it can enter no other. */
  list(caller: Caller): Promise<Org[]>
  /** Throws `auth/org-absent` also where it exists, and the caller does not belong to it. */
  enter(caller: Caller, id: string): Promise<void>
}

export function createOrganisations(
  db: DatabasePool,
  access: Access,
  sessions: Sessions,
): Organisations {
  return {
    async list({ claims, session }) {
      const rows = await db.any(listMemberships(claims.sub, session ? null : claims.org))
      return rows
        .filter((row) => access.decide(asMember(claims, row), 'org:read', toOrg(row.id)).allowed)
        .map((row) => ({ ...row, isCurrent: row.id === claims.org }))
    },
    async enter(caller, id) {
      const row = await db.maybeOne(listMemberships(caller.claims.sub, id))
      if (!row) throw fault('auth/org-absent', { detail: id })
      access.assert(asMember(caller.claims, row), 'org:enter', toOrg(id))
      await sessions.enter(caller, id)
    },
  }
}

/** The caller as they would stand there: policies know nobody who is in two organisations at once. */
const asMember = (claims: UserClaims, { id, role }: Pick<Org, 'id' | 'role'>): UserClaims => ({
  ...claims,
  org: id,
  role,
})

const toOrg = (id: string) => ({ type: 'Org', id, org: id }) as const
