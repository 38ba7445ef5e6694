import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { Duration } from '#kernel/units.ts'

export const ThreadsConfig = z.strictObject({
  port: z.int().min(0).max(65_535),
  retentionMs: Duration,
  sweepMs: Duration,
})
export type ThreadsConfig = Readonly<z.infer<typeof ThreadsConfig>>

export const parseConfig = (input: unknown) => parse(ThreadsConfig, input)
