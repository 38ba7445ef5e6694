import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { Bytes, Duration } from '#kernel/units.ts'

export const SpoolConfig = z.strictObject({
  parallel: z.int().min(1).max(1_000),
  leaseMs: Duration,
  pollMs: Duration,
  watchMs: Duration,
  outageMsMax: Duration,
  bundleBytesMax: Bytes,
  followersMax: z.int().min(1).max(10_000),
  listenersMax: z.int().min(1).max(10_000),
  keepMs: Duration.nullable(),
  appFolder: z.string().min(1).nullable(),
  nodePath: z.string().min(1).nullable(),
})
export type SpoolConfig = Readonly<z.infer<typeof SpoolConfig>>

export const parseConfig = (input: unknown) => parse(SpoolConfig, input)
