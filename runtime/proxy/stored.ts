// A response that the vendor stored is read or ended by its id, which belongs to the organisation that had it made.
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import type { Caller } from './caller.ts'
import type { GatewayConfig } from './config.ts'
import { watchCount } from './count.ts'
import type { Exchange } from './exchange.ts'
import { toUpstreamHeaders } from './headers.ts'
import type { Providers } from './providers.ts'
import { Refusal } from './refusal.ts'
import { Relay } from './relay.ts'
import { toUpstreamPath } from './upstream-path.ts'

/** The provider that holds a response of this organisation's; null = it has none of this id. */
export type FindStored = (id: string, org: string) => { provider: string } | null

type Deps = { config: GatewayConfig; providers: Providers; findStored: FindStored; log: Logger }
type Asked = {
  exchange: Exchange
  wire: Wire
  target: string
  storedId: string | null
  caller: Caller
}

/** **Security.** An id that is unknown looks like one that is another's. Costs nothing, so it is not booked. */
export function sendStored(deps: Deps, asked: Asked, onSettled: () => void): void {
  const { exchange, wire, target, storedId, caller } = asked
  const { providers, findStored, config, log } = deps
  const found = findStored(storedId!, caller.org)
  const provider = providers
    .all()
    .find(({ name, org }) => name === found?.provider && (org === null || org === caller.org))
  if (!provider) throw new Refusal('response/absent')
  const { method, headers: raw, reply } = exchange
  const headers = toUpstreamHeaders(raw, provider.vaulted)
  const relay = new Relay(reply, watchCount({ reply, wire, log, onSettled }), config.idleMs)
  const path = toUpstreamPath(provider.kind, provider.prefix, target)
  provider.pool.dispatch({ method: method as 'GET', path, headers }, relay)
}
