// What people do with providers: add, list, remove, try. Credentials go in and never come out.
import type { DatabasePool } from 'slonik'
import { AddressError, assertHost } from '#kernel/address.ts'
import { Secret } from '#kernel/secret.ts'
import type { Vault } from '#kernel/vault.ts'
import type { NewProvider, Provider, ProviderChange, ProviderTest } from './api.ts'
import { fault } from './errors.ts'
import { withAnthropicVersion } from './headers.ts'
import { type LiveProvider, type Providers, rehearsalPrefix, sealedName } from './providers.ts'
import {
  deleteProvider,
  findLastUsed,
  insertProvider,
  lockProvider,
  type ProviderRow,
  replaceProvider,
} from './sql/providers.ts'
import { askStatus } from './upstream/ask.ts'
import { toUpstreamPath } from './upstream-path.ts'

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
  if (name === 'rehearsal')
    throw fault('provider/exists', { say: 'rehearsal is the built-in one.' })
  assertModels(models)
  const given = added.baseUrl ?? baseUrls[kind]
  if (given === null) throw fault('provider/address', { say: 'Give its base URL.' })
  const baseUrl = toBaseUrl(given, allowPrivate)
  const sealed = deps.vault.seal(sealedName(org, name), new Secret(added.key))
  const row = await deps.db.maybeOne(
    insertProvider({ name, kind, baseUrl, allowPrivate, models, org, user, ...sealed }, deps.now()),
  )
  if (!row) throw fault('provider/exists', { detail: name })
  await deps.providers.refresh()
  return toStored(row, null)
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
  { db, vault, providers }: Deps,
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
  return toStored(row, lastAt === undefined ? null : new Date(lastAt).toISOString())
}

function toChanged(row: ProviderRow, change: ProviderChange) {
  const allowPrivate = change.allowPrivate ?? row.allow_private
  const baseUrl = toBaseUrl(change.baseUrl ?? row.base_url, allowPrivate)
  if (baseUrl !== row.base_url && change.key === undefined) {
    throw fault('provider/invalid', {
      say: 'A stored key never goes to another address: give the key with it.',
    })
  }
  return { baseUrl, allowPrivate, models: change.models ?? row.models }
}

const toStored = (row: ProviderRow, lastUsedAt: string | null): Provider => ({
  name: row.name,
  kind: row.kind,
  baseUrl: row.base_url,
  allowPrivate: row.allow_private,
  models: row.models,
  createdAt: new Date(row.created_at).toISOString(),
  lastUsedAt,
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
  try {
    assertHost(url, allowPrivate)
  } catch (error) {
    if (error instanceof AddressError) throw fault('provider/address', { say: `${error.message}.` })
    throw error
  }
  return url.href.replace(/\/+$/, '')
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

export async function readProviders(org: string, { db, providers }: Deps): Promise<Provider[]> {
  const used = await db.any(findLastUsed(org))
  const lastUsed = new Map(used.map(({ name, last_at }) => [name, new Date(last_at).toISOString()]))
  return providers
    .all()
    .filter((provider) => provider.org === null || provider.org === org)
    .map((provider) => toProvider(provider, lastUsed.get(provider.name) ?? null))
}

const toProvider = (live: LiveProvider, lastUsedAt: string | null): Provider => ({
  name: live.name,
  kind: live.kind,
  baseUrl: live.baseUrl,
  allowPrivate: live.allowPrivate,
  models: [...live.models],
  createdAt: new Date(live.createdAt).toISOString(),
  lastUsedAt,
})

const testMs = 15_000
const noBody = Buffer.alloc(0)

/** Asks for the list of models, over the connection and with the credential that calls use. Costs nothing. */
export async function tryProvider(
  org: string,
  name: string,
  { providers }: Deps,
): Promise<ProviderTest> {
  const live = providers
    .all()
    .find((one) => one.name === name && (one.org === null || one.org === org))
  if (!live) throw fault('provider/absent', { detail: name })
  const began = performance.now()
  const passed = () => Math.round(performance.now() - began)
  try {
    const headers =
      live.kind === 'anthropic' ? withAnthropicVersion([...live.vaulted]) : [...live.vaulted]
    const version = live.kind === 'gemini' ? 'v1beta' : 'v1'
    const path = toUpstreamPath(live.kind, live.prefix, `/${version}/models`)
    const request = { method: 'GET', path, headers, body: noBody }
    const status = await askStatus(live.upstream, request, testMs)
    return { ok: status < 300, status, latencyMs: passed(), error: null }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return {
      ok: false,
      status: null,
      latencyMs: passed(),
      error: text.replaceAll(live.key.reveal(), '[redacted]'),
    }
  }
}
