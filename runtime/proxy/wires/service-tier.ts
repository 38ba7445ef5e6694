// How a vendor served a call, where that may change its price. Names are those of the price file; several stand with a plus.
import { toTextOrNull } from './json.ts'

/** Served in the plain way, which is what prices are for. */
const plain: ReadonlySet<string> = new Set(['default', 'standard', 'auto', 'on_demand'])
const namesCharsMax = 50 // It is a column of the ledger, and an upstream's word.

/** Null = nothing that is not plain. */
export function toServiceTier(...told: unknown[]): string | null {
  const names = told
    .map((name) => toTextOrNull(name)?.toLowerCase())
    .filter((name) => name !== undefined && name !== '' && !plain.has(name))
  return names.length === 0 ? null : names.join('+').slice(0, namesCharsMax)
}
