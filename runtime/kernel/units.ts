import { z } from 'zod'

const msPerUnit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytesPerUnit = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** A duration as people write it, `30s` or `2h`, to milliseconds. */
export const Duration = z
  .string()
  .regex(/^\d{1,6}(ms|s|m|h|d)$/, 'Write a duration such as 30s, 10m, or 2h.')
  .transform((text) => toAmount(text, msPerUnit))

/** A size as people write it, `512MiB`, to bytes. */
export const Bytes = z
  .string()
  .regex(/^\d{1,6}(B|KiB|MiB|GiB)$/, 'Write a size such as 64KiB, 512MiB, or 2GiB.')
  .transform((text) => toAmount(text, bytesPerUnit))

function toAmount(text: string, perUnit: Readonly<Record<string, number>>): number {
  const [, digits, unit] = /^(\d+)(\D+)$/.exec(text)!
  return Number(digits) * perUnit[unit!]!
}

/** Milliseconds as a person reads them: `840 ms`, `12.3 s`, `4 m 05 s`. */
export function toDurationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`
}

// Money is counted in nano-dollars, as integers: a token of the cheapest model still costs a whole number.
const nanoPerUsd = 1_000_000_000
export const toNanoUsd = (usd: number) => Math.round(usd * nanoPerUsd)
export const toUsd = (nanoUsd: number) => nanoUsd / nanoPerUsd
/** `$0.0421`: four places, for a pass often costs less than a cent. */
export const toUsdText = (nanoUsd: number) => `$${toUsd(nanoUsd).toFixed(4)}`
