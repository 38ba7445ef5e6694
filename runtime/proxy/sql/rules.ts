// Routes and policies. Their definitions are as the API takes them; whoever reads one checks it again.
import { type SerializableValue, sql } from 'slonik'
import { z } from 'zod'

const VersionRow = z.object({ version: z.number() })
export const findRulesVersion = () => sql.type(VersionRow)`select version from proxy.rules_version`

/** In the transaction of each change: who looks at the version sees the change that moved it. */
export const moveRulesVersion = () =>
  sql.unsafe`update proxy.rules_version set version = version + 1`

const RouteRow = z.object({
  org: z.string(),
  name: z.string(),
  definition: z.unknown(),
  created_at: z.number(),
})
export type RouteRow = z.infer<typeof RouteRow>
const routeColumns = sql.fragment`org, name, definition, created_at`

export const listRoutes = (rowsMax: number) =>
  sql.type(RouteRow)`select ${routeColumns} from proxy.routes order by org, name limit ${rowsMax}`

type NewRow = { org: string; name: string; definition: SerializableValue; user: string }

/** No row when the name is in use, or the organisation has its most. */
export const insertRoute = (row: NewRow, now: Date, routesMax: number) => sql.type(RouteRow)`
  insert into proxy.routes (org, name, definition, created_by, created_at)
  select ${row.org}, ${row.name}, ${sql.jsonb(row.definition)}, ${row.user}, ${sql.timestamp(now)}
  where (select count(*) from proxy.routes where org = ${row.org}) < ${routesMax}
  on conflict (org, name) do nothing returning ${routeColumns}`

export const replaceRoute = ({ org, name, definition }: Omit<NewRow, 'user'>) =>
  sql.type(RouteRow)`
  update proxy.routes set definition = ${sql.jsonb(definition)}
  where org = ${org} and name = ${name} returning ${routeColumns}`

export const deleteRoute = (org: string, name: string) => sql.type(RouteRow)`
  delete from proxy.routes where org = ${org} and name = ${name} returning ${routeColumns}`

const PolicyRow = z.object({
  org: z.string(),
  subject: z.string(),
  definition: z.unknown(),
  updated_at: z.number(),
})
export type PolicyRow = z.infer<typeof PolicyRow>
const policyColumns = sql.fragment`org, subject, definition, updated_at`

export const listPolicies = (rowsMax: number) => sql.type(PolicyRow)`
  select ${policyColumns} from proxy.policies order by org, subject limit ${rowsMax}`

type PolicyPut = { org: string; subject: string; definition: SerializableValue; user: string }
export const putPolicy = (row: PolicyPut, now: Date) => sql.type(PolicyRow)`
  insert into proxy.policies (org, subject, definition, updated_by, updated_at)
  values (${row.org}, ${row.subject}, ${sql.jsonb(row.definition)}, ${row.user}, ${sql.timestamp(now)})
  on conflict (org, subject) do update set definition = excluded.definition,
    updated_by = excluded.updated_by, updated_at = excluded.updated_at
  returning ${policyColumns}`

export const deletePolicy = (org: string, subject: string) => sql.type(PolicyRow)`
  delete from proxy.policies where org = ${org} and subject = ${subject} returning ${policyColumns}`
