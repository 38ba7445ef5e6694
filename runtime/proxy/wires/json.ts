// An upstream's JSON is untrusted: each step into it says what it expects, and gets nothing where that isn't there.

export type Json = Readonly<Record<string, unknown>>
const nothing: Json = {}

export const toRecord = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : nothing
export const toList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const toText = (value: unknown): string => (typeof value === 'string' ? value : '')
export const toTextOrNull = (value: unknown): string | null =>
  typeof value === 'string' ? value : null

const countMax = 1e9 // A hundred times the largest window of any model: what is above it is no count of one call.

/** A number of tokens, or undefined for what is none. A part of a token is charged as one. */
export const toCount = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= countMax ? Math.ceil(value) : undefined
