import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { Duration } from '#kernel/units.ts'

const PublicUrl = z.url({ protocol: /^https?$/ }).transform((text) => new URL(text).origin)

/** What config/defaults.yaml explains key by key. */
export const AuthConfig = z.strictObject({
  port: z.int().min(0).max(65_535),
  publicUrls: z.array(PublicUrl).max(10),
  ownerTokenFile: z.string().min(1),
  /** A folder, or `off`. */
  console: z.string().min(1),
  loginLinkMs: Duration,
  sessionIdleMs: Duration,
  sessionMs: Duration,
  lastUseMs: Duration,
  sweepMs: Duration,
  denialsMax: z.int().min(1).max(10_000),
  denialsWindowMs: Duration,
  streamSilentMs: Duration,
})
export type AuthConfig = Readonly<z.infer<typeof AuthConfig>>

export const parseConfig = (input: unknown) => parse(AuthConfig, input)
