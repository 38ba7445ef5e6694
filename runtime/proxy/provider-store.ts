// What people do with providers: add, list, remove, try. Credentials go in and never come out.
import type { DatabasePool } from 'slonik'
import { Secret } from '#kernel/secret.ts'
import type { Vault } from '#kernel/vault.ts'
import { AddressError, assertHost } from './address.ts'
import type { NewProvider, Provider, ProviderTest } from './api.ts'
import { fault } from './errors.ts'
import { withAnthropicVersion } from './headers.ts'
import { type LiveProvider, type Providers, rehearsalPrefix, sealedName } from './providers.ts'
import { deleteProvider, findLastUsed, insertProvider } from './sql/providers.ts'

const baseUrls = {
  anthropic: 'https://api.anthropic.com',
  openai: 'https://api.openai.com',
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
  if (models.some((model) => model.startsWith(rehearsalPrefix))) {
    throw fault('provider/invalid', {
      say: `Models named ${rehearsalPrefix}… belong to the built-in rehearsal.`,
    })
  }
  const baseUrl = toBaseUrl(added.baseUrl ?? baseUrls[kind], allowPrivate)
  const sealed = deps.vault.seal(sealedName(org, name), new Secret(added.key))
  const row = await deps.db.maybeOne(
    insertProvider({ name, kind, baseUrl, allowPrivate, models, org, user, ...sealed }, deps.now()),
  )
  if (!row) throw fault('provider/exists', { detail: name })
  await deps.providers.refresh()
  return {
    name,
    kind,
    baseUrl,
    allowPrivate,
    models,
    createdAt: new Date(row.created_at).toISOString(),
    lastUsedAt: null,
  }
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
    const path = `${live.prefix}/v1/models`
    const { statusCode: status, body } = await live.pool.request({
      method: 'GET',
      path,
      headers,
      signal: AbortSignal.timeout(testMs),
    })
    await body.dump()
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
