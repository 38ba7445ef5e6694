// An upstream's JSON is untrusted: each step into it says what it expects, and gets nothing where that isn't there.

export type Json = Readonly<Record<string, unknown>>
const nothing: Json = {}

export const toRecord = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : nothing
export const toList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const toText = (value: unknown): string => (typeof value === 'string' ? value : '')
export const toTextOrNull = (value: unknown): string | null =>
  typeof value === 'string' ? value : null

const countMax = 1e12 // Far above any call, far under what breaks a sum.

/** A number of tokens, or undefined for what is none. */
export const toCount = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= countMax ? Math.round(value) : undefined
