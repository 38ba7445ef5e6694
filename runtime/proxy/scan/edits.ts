// The changes that a body may have on its way, and nothing else: an alias in place of the model, a bound of the output, and
// the wish for usage. All else stays byte for byte.
import type { Scan } from '../scan.ts'
import type { Slot } from './slots.ts'

/** What stands at `from` to `to` gives way to `text`. */
export type Edit = { from: number; to: number; text: string }

export function applyEdits(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body
  const parts: Buffer[] = []
  let at = 0
  for (const { from, to, text } of edits.toSorted((one, other) => one.from - other.from)) {
    parts.push(body.subarray(at, from), Buffer.from(text))
    at = to
  }
  parts.push(body.subarray(at))
  return Buffer.concat(parts)
}

/** The upstream's own name for the model, wherever the body names it. */
export function planModelEdits(body: Buffer, { modelSpans }: Scan, model: string): Edit[] {
  return modelSpans.map(({ from, to }) => {
    const isResource = body.toString('latin1', from + 1, from + 8) === 'models/'
    return { from, to, text: JSON.stringify(isResource ? `models/${model}` : model) }
  })
}

/**
 * A bound of the output: in place of the client's own, else added.
 * @param key Of chat, where the client gives none: servers other than OpenAI's may know `max_tokens` alone.
 */
export function planOutputEdits({ outputSlot }: Scan, tokens: number, key?: string): Edit[] {
  if (!outputSlot) return []
  const slot = key === undefined ? outputSlot : { ...outputSlot, before: withKey(outputSlot, key) }
  return [toEdit(slot, String(tokens))]
}

const withKey = ({ before }: Slot, key: string) =>
  before === '"max_completion_tokens":' ? `"${key}":` : before

/** So that a chat stream ends with its usage; the client's answer then loses the chunk it did not ask for. */
export const planUsageEdits = ({ usageSlot }: Scan): Edit[] =>
  usageSlot ? [toEdit(usageSlot, 'true')] : []

const toEdit = ({ from, to, before, after }: Slot, value: string): Edit => ({
  from,
  to,
  text: before + value + after,
})
