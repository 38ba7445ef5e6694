import { sql } from 'slonik'
import { z } from 'zod'

const Row = z.object({ id: z.string(), name: z.string(), role: z.enum(['owner', 'member']) })

/** Those that a user belongs to; with an id, that one. */
export const listMemberships = (user: string, id: string | null) =>
  sql.type(Row)`
    select o.id, coalesce(o.name, o.id) as name, m.role
    from auth.memberships m join auth.organisations o on o.id = m.org
    where m.user_id = ${user} and (${id}::text is null or o.id = ${id})
    order by lower(coalesce(o.name, o.id)), o.id limit 1000`
