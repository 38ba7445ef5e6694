// What routes and connections go by, beside a provider's credential.
import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import type { Logger } from '#kernel/log.ts'

const Label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'Use up to 40 lower-case letters, digits, dots, hyphens.')

export const settingsShape = {
  /** Calls at once at most with this credential, in one process; null = any number. */
  callsMax: z.int().min(1).max(100_000).nullable(),
  /** Where it stands, as policies name it. */
  region: Label.nullable(),
  /** What its vendor promises of data, as policies name it, such as zdr. */
  retention: z.array(Label).max(20),
  /** An HTTP proxy on the way out. */
  proxyUrl: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .nullable(),
  /** Certificates (PEM) that are trusted beside the system's: the command reads them from a file. */
  ca: z.string().max(200_000).refine(isCertificates, 'Give certificates as PEM.').nullable(),
  /** When the key expires; warned of before. */
  expiresAt: z.iso.datetime({ offset: true }).nullable(),
}
const Settings = z.strictObject(settingsShape)
export type ProviderSettings = z.infer<typeof Settings>

export const noSettings: ProviderSettings = {
  callsMax: null,
  region: null,
  retention: [],
  proxyUrl: null,
  ca: null,
  expiresAt: null,
}

const certificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

function isCertificates(pem: string): boolean {
  const found = pem.match(certificate) ?? []
  try {
    return found.length > 0 && found.every((one) => new X509Certificate(one).subject !== null)
  } catch {
    return false // It is no certificate.
  }
}

type Kept = { org: string | null; name: string; expiresAt: number | null }

/** For whoever reads the log and not the list. */
export function warnOfExpiry(providers: readonly Kept[], log: Logger, now: Date): void {
  for (const { org, name: provider, expiresAt } of providers) {
    const warning = toExpiryWarning(expiresAt, now)
    if (warning !== null)
      log.warn({ org, provider, warning }, 'a key of a provider is to be rotated')
  }
}

export const expiryLookMs = 86_400_000 // A line a day each.
const dayMs = 86_400_000
const warnedDays = 14 // Time enough to get another one from a vendor, over a holiday too.

/** A sentence on a key that expires soon or has; null = neither. */
export function toExpiryWarning(expiresAtMs: number | null, now: Date): string | null {
  if (expiresAtMs === null) return null
  const days = (expiresAtMs - now.getTime()) / dayMs
  if (days <= 0) return 'The key has expired. Rotate it.'
  if (days > warnedDays) return null
  const whole = Math.ceil(days)
  return `The key expires in ${whole} ${whole === 1 ? 'day' : 'days'}. Rotate it.`
}
