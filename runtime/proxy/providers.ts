// Providers in memory: opened credentials and connections, refreshed from the table. The table holds sealed ones only.
import { readFileSync, statSync } from 'node:fs'
import type { DatabasePool } from 'slonik'
import { assertHost, createLookup } from '#kernel/address.ts'
import type { Logger } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import type { Vault } from '#kernel/vault.ts'
import { type Provider, type Wire, wires } from './api.ts'
import type { GatewayConfig } from './config.ts'
import { vaultedHeaders } from './headers.ts'
import { noSettings, type ProviderSettings } from './provider-settings.ts'
import { listProviders, type ProviderRow } from './sql/providers.ts'
import type { OutgoingProxy } from './upstream/connect.ts'
import { createUpstream, type Upstream } from './upstream/upstream.ts'

export const rehearsalPrefix = 'rehearsal/'
export const providersMax = 10_000

export type LiveProvider = {
  id: string
  /** Null = for every organisation: rehearsal alone. */
  org: string | null
  name: string
  kind: Provider['kind']
  baseUrl: string
  allowPrivate: boolean
  models: ReadonlySet<string>
  createdAt: number
  /** The path of the base URL: see upstream-path.ts. */
  prefix: string
  /** The header pairs that carry the credential. */
  vaulted: readonly string[]
  key: Secret
  upstream: Upstream
} & Omit<ProviderSettings, 'expiresAt'> & {
    /** Epoch ms. */
    expiresAt: number | null
  }

export type Providers = AsyncDisposable & {
  all(): readonly LiveProvider[]
  /** Takes the table over; what is unchanged keeps its connections. */
  refresh(): Promise<void>
}

const spoken: Readonly<Record<Provider['kind'], readonly Wire[]>> = {
  anthropic: ['messages'],
  openai: ['chat', 'responses'],
  gemini: ['gemini'],
  zai: ['messages', 'chat'],
  'openai-compatible': ['chat', 'responses'],
  rehearsal: wires,
}
export const speaks = (kind: Provider['kind'], wire: Wire): boolean => spoken[kind].includes(wire)

/** The name a credential is sealed under: a row can't be passed off as another organisation's. */
export const sealedName = (org: string, name: string) => `${org}/${name}`

type Options = {
  config: GatewayConfig
  db: DatabasePool
  vault: Vault
  log: Logger
  now: () => Date
}

export async function startProviders({ config, db, vault, log, now }: Options): Promise<Providers> {
  const rehearsal = config.rehearsal ? [openRehearsal(config.rehearsal, config, now())] : []
  let live: readonly LiveProvider[] = rehearsal

  const takeOver = async () => {
    const rows = await db.any(listProviders(providersMax))
    const known = new Map(live.map((provider) => [provider.id, provider]))
    const opened = rows.flatMap((row) => known.get(row.id) ?? openRow(row))
    const kept = new Set(opened.map(({ id }) => id))
    const gone = live.filter(({ id, org }) => org !== null && !kept.has(id))
    live = [...rehearsal, ...opened]
    for (const { upstream } of gone) void upstream.close() // Its calls in flight end first; nobody waits for that.
  }

  // One after the other: a slower one that read the table before a change must not bring the old key back.
  let last = Promise.resolve()
  const refresh = () => {
    last = last.catch(() => {}).then(takeOver) // Whoever asked for the one before has its error.
    return last
  }

  const openRow = (row: ProviderRow): LiveProvider[] => {
    try {
      const key = vault.open(sealedName(row.org, row.name), {
        wrappedKey: row.wrapped_key,
        ciphertext: row.ciphertext,
      })
      return [openProvider(row, key, config)]
    } catch (error) {
      log.error({ error, provider: row.name, org: row.org }, 'a provider is left out')
      return []
    }
  }

  await refresh()
  return {
    all: () => live,
    refresh,
    async [Symbol.asyncDispose]() {
      for (const { upstream } of live) upstream.destroy()
    },
  }
}

function openProvider(row: ProviderRow, key: Secret, config: GatewayConfig): LiveProvider {
  const url = new URL(row.base_url)
  return {
    id: row.id,
    org: row.org,
    name: row.name,
    kind: row.kind,
    baseUrl: row.base_url,
    allowPrivate: row.allow_private,
    models: new Set(row.models),
    createdAt: row.created_at,
    prefix: url.pathname.replace(/\/+$/, ''),
    vaulted: vaultedHeaders(row.kind, key.reveal()),
    key,
    upstream: openUpstream(url, row.allow_private, config, row),
    callsMax: row.calls_max,
    region: row.region,
    retention: row.retention,
    proxyUrl: row.proxy_url,
    ca: row.ca,
    expiresAt: row.expires_at,
  }
}

function openRehearsal(
  { url: text, keyFile }: NonNullable<GatewayConfig['rehearsal']>,
  config: GatewayConfig,
  now: Date,
): LiveProvider {
  const url = new URL(text)
  const key = new Secret(readFileSync(keyFile, 'utf8').trim())
  return {
    id: 'rehearsal',
    org: null,
    name: 'rehearsal',
    kind: 'rehearsal',
    baseUrl: text,
    allowPrivate: true,
    models: new Set([`${rehearsalPrefix}*`]),
    createdAt: now.getTime(),
    prefix: url.pathname.replace(/\/+$/, ''),
    vaulted: vaultedHeaders('rehearsal', key.reveal()),
    key,
    upstream: openUpstream(url, true, config, { proxy_url: null, ca: null }),
    ...noSettings,
    expiresAt: null,
  }
}

function openUpstream(
  url: URL,
  allowPrivate: boolean,
  config: GatewayConfig,
  { proxy_url: proxyUrl, ca }: Pick<ProviderRow, 'proxy_url' | 'ca'>,
): Upstream {
  assertHost(url, allowPrivate)
  const isTls = url.protocol === 'https:'
  const { connectMs, firstByteMs, idleMs } = config
  const route = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (isTls ? 443 : 80),
    isTls,
    ca,
    lookup: createLookup(allowPrivate),
    proxy: proxyUrl === null ? null : toOutgoingProxy(new URL(proxyUrl), allowPrivate),
    connectMs,
  }
  return createUpstream({ route, firstByteMs, idleMs })
}

/** **Security.** Where an owner's proxy is, is checked as where a provider is. It resolves the providers' names itself. */
function toOutgoingProxy(url: URL, allowPrivate: boolean): OutgoingProxy {
  assertHost(url, allowPrivate)
  const { hostname, port } = url
  const host = hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(port) || 80, authorization: null, lookup: createLookup(allowPrivate) }
}

/** The vault's master key: 32 bytes in a file that its owner alone may read. */
export function readMasterKey(path: string): Buffer {
  const { mode } = statSync(path)
  if ((mode & 0o077) !== 0)
    throw new Error(`The master key ${path} is readable by others: chmod 600 it.`)
  return readFileSync(path)
}
