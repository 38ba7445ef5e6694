import { z } from 'zod'
import { parse } from '#kernel/parse.ts'

export const SpoolConfig = z.strictObject({
  parallel: z.int().min(1).max(1_000),
  leaseMs: z.int().min(300).max(600_000),
  pollMs: z.int().min(20).max(10_000),
  watchMs: z.int().min(20).max(60_000),
  outageMsMax: z.int().min(1_000).max(600_000),
  bundleBytesMax: z.int().min(1_024),
  followersMax: z.int().min(1).max(10_000),
  appFolder: z.string().min(1).nullable(),
  nodePath: z.string().min(1).nullable(),
})
export type SpoolConfig = Readonly<z.infer<typeof SpoolConfig>>

export const parseConfig = (input: unknown) => parse(SpoolConfig, input)
