import { readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { assertHost, createLookup } from '#kernel/address.ts'
import type { GatewayConfig } from '../config.ts'
import type { OutgoingProxy, Route } from './connect.ts'

type Outgoing = GatewayConfig['outgoing']

/**
 * How an upstream is reached. **Security.** An outgoing proxy resolves names itself, so the check of the resolved address is
 * then the proxy's to make; hosts that are written as addresses are checked before either way.
 */
export function openRoute(
  url: URL,
  {
    allowPrivate,
    connectMs,
    outgoing,
  }: { allowPrivate: boolean; connectMs: number; outgoing: Outgoing | null },
): Route {
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return {
    host,
    port: Number(url.port) || (isTls ? 443 : 80),
    isTls,
    ca: readAuthority(host, outgoing),
    lookup: createLookup(allowPrivate),
    proxy: outgoing?.exceptHosts.includes(host) ? null : openProxy(outgoing),
    connectMs,
  }
}

function readAuthority(host: string, outgoing: Outgoing | null): string | null {
  const found = outgoing?.authorities.find((one) => one.host === host)
  return found ? readFileSync(found.caFile, 'utf8') : null
}

/** What a provider has of its own wins. **Security.** It is no operator's word: the proxy's address is checked as a provider's is. */
export function withOwn(
  route: Route,
  { proxy_url: proxyUrl, ca }: { proxy_url: string | null; ca: string | null },
  allowPrivate: boolean,
): Route {
  if (proxyUrl !== null) assertHost(new URL(proxyUrl), allowPrivate)
  return {
    ...route,
    ca: ca ?? route.ca,
    proxy: proxyUrl === null ? route.proxy : toProxy(proxyUrl, null, createLookup(allowPrivate)),
  }
}

function openProxy(outgoing: Outgoing | null): OutgoingProxy | null {
  if (!outgoing?.proxyUrl) return null
  const file = outgoing.proxyCredentialFile
  const credential = file && Buffer.from(readFileSync(file, 'utf8').trim()).toString('base64')
  return toProxy(outgoing.proxyUrl, credential ? `Basic ${credential}` : null)
}

function toProxy(
  text: string,
  authorization: string | null,
  lookup?: LookupFunction,
): OutgoingProxy {
  const { hostname, port } = new URL(text)
  const host = hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(port) || 80, authorization, ...(lookup && { lookup }) }
}
