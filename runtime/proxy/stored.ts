// A response that the vendor stored is read or ended by its id, which belongs to the organisation that had it made.

import type { RawHeaders } from './exchange.ts'
import { watchFree } from './free-call.ts'
import { headersFor } from './headers.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { Refusal } from './refusal.ts'
import { onlyTo, Relay } from './relay.ts'
import { toUpstreamPath } from './upstream-path.ts'

const noBody = Buffer.alloc(0)

/** **Security.** An id that is unknown looks like one that is another's. Costs nothing, so it is not booked. */
export async function sendStored(
  deps: IntakeDeps,
  asked: Asked,
  held: Pick<Held, 'arrival' | 'onSettled'>,
): Promise<void> {
  const { exchange, target, storedId, caller } = asked
  const { providers, stored, config } = deps
  const { method, headers: raw, reply } = exchange
  const name = await stored.find(storedId!, caller.org)
  const provider = providers
    .all()
    .find((one) => one.name === name && (one.org === null || one.org === caller.org))
  if (!provider) throw new Refusal('response/absent')
  const watcher = watchFree(deps, { asked, model: '', provider, ...held })
  const path = toUpstreamPath(provider.kind, provider.prefix, target)
  const sent = { provider, method, path, headers: headersFor(provider, raw), body: noBody }
  const forgetting = {
    ...watcher,
    head(status: number, headers: RawHeaders) {
      watcher.head(status, headers)
      if (method === 'DELETE' && (status < 300 || status === 404))
        stored.forget(storedId!, caller.org)
    },
  }
  const attempts = { ...onlyTo(sent), ended: watcher.tried }
  new Relay({ reply, watcher: forgetting, attempts, stallMs: config.idleMs }).start()
}
