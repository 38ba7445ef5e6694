import { sql } from 'slonik'
import { z } from 'zod'

/** The first organisation and its owner; nothing where they are known. */
export const insertFirst = (org: string, user: string) => sql.unsafe`
  with
    first_org as (insert into auth.organisations (id) values (${org}) on conflict do nothing),
    first_user as (insert into auth.users (id) values (${user}) on conflict do nothing)
  insert into auth.memberships (org, user_id, role) values (${org}, ${user}, 'owner')
  on conflict do nothing`

/** Who came in, as it stands now: a membership that ended is no row. */
export const Person = z.object({
  org: z.string(),
  user_id: z.string(),
  role: z.enum(['owner', 'member']),
})
