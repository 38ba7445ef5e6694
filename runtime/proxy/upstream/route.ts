import { readFileSync } from 'node:fs'
import { createLookup } from '#kernel/address.ts'
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

function openProxy(outgoing: Outgoing | null): OutgoingProxy | null {
  if (!outgoing?.proxyUrl) return null
  const { hostname, port } = new URL(outgoing.proxyUrl)
  const file = outgoing.proxyCredentialFile
  const credential = file && Buffer.from(readFileSync(file, 'utf8').trim()).toString('base64')
  const authorization = credential ? `Basic ${credential}` : null
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 80, authorization }
}
