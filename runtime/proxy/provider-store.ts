// What people do with providers: add, list, remove, try. Credentials go in and never come out.
import type { DatabasePool } from 'slonik'
import { AddressError, assertHost } from '#kernel/address.ts'
import { Secret } from '#kernel/secret.ts'
import type { Vault } from '#kernel/vault.ts'
import type { NewProvider, Provider, ProviderChange } from './api.ts'
import { fault } from './errors.ts'
import { noSettings, type ProviderSettings, toExpiryWarning } from './provider-settings.ts'
import { type LiveProvider, type Providers, rehearsalPrefix, sealedName } from './providers.ts'
import {
  deleteProvider,
  findLastUsed,
  insertProvider,
  lockProvider,
  type ProviderRow,
  replaceProvider,
} from './sql/providers.ts'

const baseUrls = {
  anthropic: 'https://api.anthropic.com',
  openai: 'https://api.openai.com',
  gemini: 'https://generativelanguage.googleapis.com',
  zai: 'https://api.z.ai/api/paas/v4',
  'openai-compatible': null,
} as const

type Deps = { db: DatabasePool; vault: Vault; providers: Providers; now: () => Date }
type Owner = { org: string; user: string }

export async function addProvider(
  added: NewProvider,
  { org, user }: Owner,
  deps: Deps,
): Promise<Provider> {
  const { name, kind, allowPrivate, models } = added
  const settings = toSettings(added, noSettings, allowPrivate)
  if (name === 'rehearsal')
    throw fault('provider/exists', { say: 'rehearsal is the built-in one.' })
  assertModels(models)
  const given = added.baseUrl ?? baseUrls[kind]
  if (given === null) throw fault('provider/address', { say: 'Give its base URL.' })
  const baseUrl = toBaseUrl(given, allowPrivate)
  const sealed = deps.vault.seal(sealedName(org, name), new Secret(added.key))
  const row = await deps.db.maybeOne(
    insertProvider(
      { name, kind, baseUrl, allowPrivate, models, ...settings, org, user, ...sealed },
      deps.now(),
    ),
  )
  if (!row) throw fault('provider/exists', { detail: name })
  await deps.providers.refresh()
  return toStored(row, null, deps.now())
}

/**
 * Rotates the key or changes the rest. When it resolves, no call begins with what was before; calls in flight end with it.
 * **Security.** A new address wants the key as well: who may change a provider, but never saw its key, could else have
 * it sent to a server of his own.
 */
export async function changeProvider(
  name: string,
  change: ProviderChange,
  org: string,
  { db, vault, providers, now }: Deps,
): Promise<Provider> {
  if (change.models) assertModels(change.models)
  const row = await db.transaction(async (transaction) => {
    const found = await transaction.maybeOne(lockProvider(org, name))
    if (!found) throw fault('provider/absent', { detail: name })
    const next = toChanged(found, change)
    const sealed = change.key
      ? vault.seal(sealedName(org, name), new Secret(change.key))
      : { wrappedKey: found.wrapped_key, ciphertext: found.ciphertext }
    return transaction.one(replaceProvider({ org, name, ...next, sealed }))
  })
  await providers.refresh()
  const used = await db.any(findLastUsed(org))
  const lastAt = used.find((one) => one.name === name)?.last_at
  return toStored(row, lastAt === undefined ? null : new Date(lastAt).toISOString(), now())
}

function toChanged(row: ProviderRow, change: ProviderChange) {
  const allowPrivate = change.allowPrivate ?? row.allow_private
  const baseUrl = toBaseUrl(change.baseUrl ?? row.base_url, allowPrivate)
  if (baseUrl !== row.base_url && change.key === undefined) {
    throw fault('provider/invalid', {
      say: 'A stored key never goes to another address: give the key with it.',
    })
  }
  // A new key does not end when the old one did.
  const stored = { ...settingsOf(row), ...(change.key !== undefined && { expiresAt: null }) }
  const settings = toSettings(change, stored, allowPrivate)
  return { baseUrl, allowPrivate, models: change.models ?? row.models, settings }
}

type Given = { [Key in keyof ProviderSettings]?: ProviderSettings[Key] | undefined }

function toSettings(given: Given, stored: ProviderSettings, allowPrivate: boolean) {
  const names = Object.keys(stored) as (keyof ProviderSettings)[]
  const named = names.filter((name) => given[name] !== undefined)
  const own = Object.fromEntries(named.map((name) => [name, given[name]]))
  const settings = { ...stored, ...(own as ProviderSettings) }
  if (settings.proxyUrl !== null) assertProxy(new URL(settings.proxyUrl), allowPrivate)
  return settings
}

function assertProxy(url: URL, allowPrivate: boolean): void {
  if (url.username || url.password || url.search || url.hash || url.pathname !== '/') {
    throw fault('provider/address', { say: 'Of the proxy, give the origin alone.' })
  }
  assertAddress(url, allowPrivate)
}

const settingsOf = (row: ProviderRow): ProviderSettings => ({
  callsMax: row.calls_max,
  region: row.region,
  retention: row.retention,
  proxyUrl: row.proxy_url,
  ca: row.ca,
  expiresAt: row.expires_at === null ? null : new Date(row.expires_at).toISOString(),
})

const toStored = (row: ProviderRow, lastUsedAt: string | null, now: Date): Provider => ({
  name: row.name,
  kind: row.kind,
  baseUrl: row.base_url,
  allowPrivate: row.allow_private,
  models: row.models,
  createdAt: new Date(row.created_at).toISOString(),
  lastUsedAt,
  ...settingsOf(row),
  warning: toExpiryWarning(row.expires_at, now),
})

function assertModels(models: readonly string[]): void {
  if (!models.some((model) => model.startsWith(rehearsalPrefix))) return
  const say = `Models named ${rehearsalPrefix}… belong to the built-in rehearsal.`
  throw fault('provider/invalid', { say })
}

/** Names are looked up when connecting; what is written as an address is checked here, so that the mistake shows early. */
function toBaseUrl(text: string, allowPrivate: boolean): string {
  const url = new URL(text)
  if (url.username || url.password || url.search || url.hash) {
    throw fault('provider/address', { say: 'Leave user, query and fragment out.' })
  }
  if (url.protocol === 'http:' && !allowPrivate) {
    throw fault('provider/address', {
      say: 'Plain http shows the key to the network: use https, or allow private addresses.',
    })
  }
  assertAddress(url, allowPrivate)
  return url.href.replace(/\/+$/, '')
}

function assertAddress(url: URL, allowPrivate: boolean): void {
  try {
    assertHost(url, allowPrivate)
  } catch (error) {
    if (error instanceof AddressError) throw fault('provider/address', { say: `${error.message}.` })
    throw error
  }
}

export async function removeProvider(
  org: string,
  name: string,
  { db, providers }: Deps,
): Promise<void> {
  const row = await db.maybeOne(deleteProvider(org, name))
  if (!row) throw fault('provider/absent', { detail: name })
  await providers.refresh()
}

export async function readProviders(
  org: string,
  { db, providers, now }: Deps,
): Promise<Provider[]> {
  const used = await db.any(findLastUsed(org))
  const lastUsed = new Map(used.map(({ name, last_at }) => [name, new Date(last_at).toISOString()]))
  return providers
    .all()
    .filter((provider) => provider.org === null || provider.org === org)
    .map((provider) => toProvider(provider, lastUsed.get(provider.name) ?? null, now()))
}

const toProvider = (live: LiveProvider, lastUsedAt: string | null, now: Date): Provider => ({
  name: live.name,
  kind: live.kind,
  baseUrl: live.baseUrl,
  allowPrivate: live.allowPrivate,
  models: [...live.models],
  createdAt: new Date(live.createdAt).toISOString(),
  lastUsedAt,
  callsMax: live.callsMax,
  region: live.region,
  retention: [...live.retention],
  proxyUrl: live.proxyUrl,
  ca: live.ca,
  expiresAt: live.expiresAt === null ? null : new Date(live.expiresAt).toISOString(),
  warning: toExpiryWarning(live.expiresAt, now),
})
