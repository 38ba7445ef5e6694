// Which headers cross the proxy. Both ways: hop-by-hop ones (RFC 9110 section 7.6.1) and those that Connection names stay here.
// Towards the upstream also: credentials, cookies, and who the client is.
import type { Provider } from './api.ts'
import type { Exchange, RawHeaders } from './exchange.ts'
import type { LiveProvider } from './providers.ts'
import { Refusal } from './refusal.ts'

const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]
const requestDrops = new Set([
  ...hopByHop,
  'host',
  'expect',
  'content-length', // The outgoing side writes its own.
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-treadle-org',
  'x-goog-fieldmask', // It would cut the usage out of the answer.
  'x-http-method-override', // Google's front ends would take it for the method.
  'x-treadle-tags', // Said to us alone (policy/tags.ts).
  'x-treadle-end-user',
])
const responseDrops = new Set([...hopByHop, 'set-cookie', 'set-cookie2'])

const anthropicVersionDefault = '2023-06-01' // What the vendor takes a missing one to be in its own examples.

/** The first value of a header, given in lower case. */
export function findHeader(raw: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) return raw[i + 1]
  }
  return undefined
}

/** Header pairs for the upstream: the client's, less what stays here, and the vaulted ones. */
export function toUpstreamHeaders(raw: RawHeaders, vaulted: readonly string[]): string[] {
  const named = namedByConnection(raw)
  const headers = [...vaulted]
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (requestDrops.has(name) || name.startsWith('x-forwarded-') || named?.has(name)) continue
    headers.push(name, raw[i + 1]!)
  }
  return headers
}

/** The same for a provider, with its credential, less the headers in `drops`. */
export function headersFor(
  { kind, vaulted }: Pick<LiveProvider, 'kind' | 'vaulted'>,
  raw: RawHeaders,
  drops: readonly string[] = [],
): string[] {
  const headers = toUpstreamHeaders(raw, vaulted)
  const sent = kind === 'anthropic' ? withAnthropicVersion(headers) : headers
  return drops.length === 0 ? sent : withoutHeaders(sent, drops)
}

const withoutHeaders = (pairs: readonly string[], drops: readonly string[]) =>
  pairs.filter((_, at) => !drops.includes(pairs[at - (at % 2)]!))

/** The same back. */
export function toClientHeaders(pairs: RawHeaders, drop?: string): string[] {
  const named = namedByConnection(pairs)
  const headers: string[] = []
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!.toLowerCase()
    if (name === drop) continue
    if (!responseDrops.has(name) && !named?.has(name)) headers.push(pairs[i]!, pairs[i + 1]!)
  }
  return headers
}

function namedByConnection(raw: RawHeaders): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== 'connection') continue
    const value = raw[i + 1]!.toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const name of value.split(',')) named.add(name.trim())
  }
  return named
}

/** What a credential of each kind adds. */
export function vaultedHeaders(kind: Provider['kind'], key: string): string[] {
  if (kind === 'anthropic') return ['x-api-key', key]
  return kind === 'gemini' ? ['x-goog-api-key', key] : ['authorization', `Bearer ${key}`]
}

export const withAnthropicVersion = (headers: string[]) =>
  headers.includes('anthropic-version')
    ? headers
    : [...headers, 'anthropic-version', anthropicVersionDefault]

/**
 * Refuses framing that another server could read in another way. The parser itself refuses both lengths at once, and bare CR or LF.
 * Guarded by security.test.ts: smuggling.
 */
export function assertFraming({ headers: raw, version }: Exchange): void {
  if (version !== '1.1') throw new Refusal('version/refused')
  let hosts = 0
  for (let i = 0; i < raw.length; i += 2) {
    const length = raw[i]!.length
    if (length === 4 && raw[i]!.toLowerCase() === 'host') hosts += 1
    else if (length === 17 && raw[i]!.toLowerCase() === 'transfer-encoding') {
      if (raw[i + 1]!.toLowerCase() !== 'chunked') throw new Refusal('headers/refused')
    }
  }
  if (hosts > 1) throw new Refusal('headers/refused', 'It names two hosts.')
}
