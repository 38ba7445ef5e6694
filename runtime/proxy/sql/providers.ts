import { sql } from 'slonik'
import { z } from 'zod'
import type { Sealed } from '#kernel/vault.ts'
import { type Provider, type ProviderKind, providerKinds } from '../api.ts'
import type { ProviderSettings } from '../provider-settings.ts'

const Row = z.object({
  id: z.string(),
  org: z.string(),
  name: z.string(),
  kind: z.enum(providerKinds),
  base_url: z.string(),
  allow_private: z.boolean(),
  models: z.array(z.string()),
  wrapped_key: z.instanceof(Buffer),
  ciphertext: z.instanceof(Buffer),
  created_at: z.number(),
  calls_max: z.number().nullable(),
  region: z.string().nullable(),
  retention: z.array(z.string()),
  proxy_url: z.string().nullable(),
  ca: z.string().nullable(),
  expires_at: z.number().nullable(),
})
export type ProviderRow = z.infer<typeof Row>

const columns = sql.fragment`
  id, org, name, kind, base_url, allow_private, models, wrapped_key, ciphertext, created_at,
  calls_max, region, retention, proxy_url, ca, expires_at`

/** Oldest first: of two that list a model, the one that was there before serves it. */
export const listProviders = (rowsMax: number) =>
  sql.type(Row)`select ${columns} from proxy.providers order by created_at, name limit ${rowsMax}`

type NewRow = Omit<Provider, 'kind' | 'createdAt' | 'lastUsedAt' | 'warning'> &
  Sealed & { kind: ProviderKind; org: string; user: string }

/** Inserts, or answers no row when the name is in use. */
export const insertProvider = (row: NewRow, now: Date) => sql.type(Row)`
  insert into proxy.providers
    (org, name, kind, base_url, allow_private, models, wrapped_key, ciphertext, created_by, created_at,
     calls_max, region, retention, proxy_url, ca, expires_at)
  values (${row.org}, ${row.name}, ${row.kind}, ${row.baseUrl}, ${row.allowPrivate},
    ${sql.array([...row.models], 'text')}, ${sql.binary(row.wrappedKey)}, ${sql.binary(row.ciphertext)},
    ${row.user}, ${sql.timestamp(now)}, ${row.callsMax}, ${row.region},
    ${sql.array([...row.retention], 'text')}, ${row.proxyUrl}, ${row.ca}, ${row.expiresAt}::timestamptz)
  on conflict (org, name) do nothing
  returning ${columns}`

type Change = {
  org: string
  name: string
  baseUrl: string
  allowPrivate: boolean
  models: readonly string[]
  settings: ProviderSettings
  sealed: Sealed
}

/** A row under the same name and in the same place of the order, with an id of its own: nothing opened of the old one fits it. */
export const replaceProvider = (change: Change) => {
  const { org, name, baseUrl, allowPrivate, models, settings, sealed } = change
  return sql.type(Row)`
  update proxy.providers set id = gen_random_uuid(), base_url = ${baseUrl}, allow_private = ${allowPrivate},
    models = ${sql.array([...models], 'text')}, wrapped_key = ${sql.binary(sealed.wrappedKey)},
    ciphertext = ${sql.binary(sealed.ciphertext)}, calls_max = ${settings.callsMax},
    region = ${settings.region}, retention = ${sql.array([...settings.retention], 'text')},
    proxy_url = ${settings.proxyUrl}, ca = ${settings.ca},
    expires_at = ${settings.expiresAt}::timestamptz
  where org = ${org} and name = ${name} returning ${columns}`
}

/** The same credential under another master key: the row keeps its id, and what is open of it stays good. */
export const rewrapProvider = (id: string, before: Buffer, wrappedKey: Buffer) => sql.unsafe`
  update proxy.providers set wrapped_key = ${sql.binary(wrappedKey)}
  where id = ${id} and wrapped_key = ${sql.binary(before)}`

export const lockProvider = (org: string, name: string) =>
  sql.type(Row)`
  select ${columns} from proxy.providers where org = ${org} and name = ${name} for update`

export const deleteProvider = (org: string, name: string) =>
  sql.type(
    Row,
  )`delete from proxy.providers where org = ${org} and name = ${name} returning ${columns}`

const UsedRow = z.object({ name: z.string(), last_at: z.number() })
export const findLastUsed = (org: string) => sql.type(UsedRow)`
  select provider as name, max(began_at) as last_at from proxy.calls
  where org = ${org} and provider is not null group by provider`
