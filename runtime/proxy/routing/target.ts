// What is sent to one target: the client's own path, headers and body, with no change but those of scan/edits.ts, the
// vaulted credential, and the target's name for the model.
import { toUpstreamHeaders, withAnthropicVersion } from '../headers.ts'
import { applyEdits, planModelEdits, planOutputEdits } from '../scan/edits.ts'
import type { Scan } from '../scan.ts'
import type { Target } from './attempts.ts'
import type { Choice } from './candidates.ts'

type Sent = {
  /** Path and query, as they came. */
  target: string
  headers: readonly string[]
  body: Buffer
  scan: Scan
  /** Policy's and budget's bound of the answer, whichever is lower; null = as asked. */
  outputTokensMax: number | null
}

export function toTarget({ provider, model }: Choice, sent: Sent): Omit<Target, 'afterMs'> {
  const { scan, headers: raw, body, target, outputTokensMax: most } = sent
  const isAlias = model !== scan.model
  const isClipped = most !== null && (scan.outputMax === null || scan.outputMax.tokens > most)
  const headers = toUpstreamHeaders(raw, provider.vaulted)
  return {
    provider,
    path: provider.prefix + (isAlias ? toAliasPath(target, model) : target),
    headers: provider.kind === 'anthropic' ? withAnthropicVersion(headers) : headers,
    body: applyEdits(body, [
      ...(isAlias ? planModelEdits(body, scan, model) : []),
      ...(isClipped ? planOutputEdits(scan, most) : []),
    ]),
  }
}

/** Gemini names the model in its path, and nobody else does. */
const toAliasPath = (target: string, model: string) =>
  target.replace(
    /^(\/v1(?:beta)?\/models\/)[^:?]+(?=:)/,
    (_whole, before: string) => before + encodeURIComponent(model).replaceAll('%2F', '/'),
  )
