// From a scanned call to its plan: what the conversation is called, where a response that it goes on from is stored, and
// what its caller says of it.
import type { Wire } from '../api.ts'
import type { Caller } from '../caller.ts'
import type { Exchange } from '../exchange.ts'
import { type Attribution, readAttribution } from '../policy/tags.ts'
import type { Scan } from '../scan.ts'
import { readAffinity } from './affinity.ts'
import type { Planned, Router } from './router.ts'
import type { Stored } from './stored.ts'

type Deps = { router: Router; stored: Stored }
type Asked = { exchange: Pick<Exchange, 'headers'>; wire: Wire; caller: Caller }

export type Placed = Planned & { attribution: Attribution }

/** Throws the refusal. **The plan holds a slot**: whoever gets one calls `plan.close` at last. */
export function placeCall(
  { router, stored }: Deps,
  { exchange: { headers }, wire, caller }: Asked,
  scan: Scan,
  body: Buffer,
): Placed | Promise<Placed> {
  const attribution = readAttribution(headers, scan.endUser)
  const { promptCacheKey, endUser, previousResponse } = scan
  const asker = { loop: caller.sandbox?.loop ?? null, promptCacheKey, endUser }
  const asked = {
    ...{ caller, wire, model: scan.model, scan, body, tags: attribution.tags },
    affinity: readAffinity(headers, asker),
  }
  const toPlaced = (storedAt: string | null): Placed => ({
    ...router.plan({ ...asked, storedAt }),
    attribution,
  })
  if (previousResponse === null) return toPlaced(null)
  const found = stored.find(previousResponse, caller.org)
  return typeof found === 'string' ? toPlaced(found) : found.then(toPlaced)
}
