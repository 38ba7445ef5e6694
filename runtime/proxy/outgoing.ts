// What goes to a target: the client's request, with no other changes than those of headers.ts and scan/edits.ts.

import { replaceModel } from './gemini-route.ts'
import { headersFor } from './headers.ts'
import type { Asked, Held } from './intake.ts'
import type { Target } from './relay.ts'
import type { Choice } from './routing/candidates.ts'
import {
  applyEdits,
  type Edit,
  planModelEdits,
  planOutputEdits,
  planUsageEdits,
} from './scan/edits.ts'
import type { Scan } from './scan.ts'
import { toUpstreamPath } from './upstream-path.ts'

export type Changes = {
  /** The most tokens that the answer may have; null = as asked. */
  outputTokensMax: number | null
  /** A chat stream is to end with its usage, which the client did not ask for. */
  isUsageWanted: boolean
}
type Outgoing = { asked: Asked; held: Held; scanned: Scan; changes: Changes }

export function toOutgoing(
  { provider, model }: Choice,
  { asked, held, scanned, changes }: Outgoing,
): Omit<Target, 'provider'> {
  const { kind, prefix } = provider
  const edits = planEdits({ provider, model }, { held, scanned, changes })
  const isPlain = edits.length === 0
  const body = isPlain ? held.packed : applyEdits(held.body, edits)
  // What was changed goes unpacked; what is to be read for its usage comes so.
  const drops = [
    ...(isPlain || held.body === held.packed ? [] : ['content-encoding']),
    ...(changes.isUsageWanted ? ['accept-encoding'] : []),
  ]
  const headers = headersFor(provider, asked.exchange.headers, drops)
  if (changes.isUsageWanted) headers.push('accept-encoding', 'identity')
  const named = model === scanned.model ? asked.target : replaceModel(asked.target, model)
  return { path: toUpstreamPath(kind, prefix, named), headers, body }
}

type Edited = Pick<Outgoing, 'held' | 'scanned' | 'changes'>

function planEdits(
  { provider, model }: Pick<Choice, 'provider' | 'model'>,
  edited: Edited,
): Edit[] {
  const { held, scanned, changes } = edited
  const { outputTokensMax, isUsageWanted } = changes
  // Servers that are like OpenAI's may know the older name alone.
  const key = provider.kind === 'openai' ? undefined : 'max_tokens'
  return [
    ...(model === scanned.model ? [] : planModelEdits(held.body, scanned, model)),
    ...(outputTokensMax === null ? [] : planOutputEdits(scanned, outputTokensMax, key)),
    ...(isUsageWanted ? planUsageEdits(scanned) : []),
  ]
}
