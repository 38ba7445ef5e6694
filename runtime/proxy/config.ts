import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { Bytes, Duration } from '#kernel/units.ts'

const usdPerMTok = z.number().min(0).max(100_000)

/** A price of one's own. It wins over the built-in list. */
const Price = z.strictObject({
  /** A model by its exact name, or a prefix and a star: `rehearsal/*`. */
  model: z.string().regex(/^[^*]+\*?$/, 'Write a model name, or a prefix and one star at the end.'),
  inputUsdPerMTok: usdPerMTok,
  cachedUsdPerMTok: usdPerMTok,
  cacheWriteUsdPerMTok: usdPerMTok,
  outputUsdPerMTok: usdPerMTok,
  /** Left out = 1.6 times that of other writes. */
  cacheWrite1hUsdPerMTok: usdPerMTok.optional(),
  /** Left out = as output. */
  reasoningUsdPerMTok: usdPerMTok.optional(),
  contextTokensMax: z.int().min(1).optional(),
  outputTokensMax: z.int().min(1).optional(),
})
export type Price = Readonly<z.infer<typeof Price>>

const HttpUrl = z.url({ protocol: /^https?$/ }).max(2_000)

/** Where spans of calls go: the whole address of a collector, as `http://127.0.0.1:4318/v1/traces`. */
const Otel = z.strictObject({
  url: HttpUrl,
  /** A line a header, `name: value`. */
  headersFile: z.string().min(1).optional(),
  sampleRatio: z.number().min(0).max(1),
})

/** Where the settled calls go beside the database. */
const Export = z.strictObject({
  jsonl: z
    .strictObject({ folder: z.string().min(1), keepDays: z.int().min(1).max(3_650) })
    .optional(),
  webhook: z
    .strictObject({
      url: HttpUrl,
      /** The secret that signs: a line of its own. */
      secretFile: z.string().min(1),
      batch: z.int().min(1).max(1_000),
    })
    .optional(),
  /** What one of them may be behind; beyond that it leaves out the oldest, counted. */
  backlogBytesMax: Bytes,
})

export const answerHeaderNames = ['call', 'overhead', 'cost'] as const

export const ProxyConfig = z.strictObject({
  port: z.int().min(0).max(65_535),
  /** Of the routes for the front door and the other roles. */
  ownPort: z.int().min(0).max(65_535),
  workers: z.int().min(1).max(64),
  lineSocket: z.string().min(1).max(107),
  masterKeyFile: z.string().min(1),
  previousMasterKeyFile: z.string().min(1).nullable(),
  rehearsal: z.strictObject({ url: z.url(), keyFile: z.string().min(1) }).nullable(),
  prices: z.array(Price).max(1_000),
  pricesFile: z.string().min(1).nullable(),
  connectionsMax: z.int().min(1),
  inFlightMax: z.int().min(1),
  bodyBytesMax: Bytes,
  bodiesBytesMax: Bytes,
  connectMs: Duration,
  firstByteMs: Duration,
  idleMs: Duration,
  drainMs: Duration,
  keysPollMs: Duration,
  keysStaleMsMax: Duration,
  providersPollMs: Duration,
  rulesPollMs: Duration,
  breaker: z.strictObject({
    callsMax: z.int().min(1),
    keyCallsMax: z.int().min(1),
    windowMs: Duration,
    retryAfterS: z.int().min(1).max(30),
  }),
  clientLeft: z.strictObject({ msMax: Duration, bytesMax: Bytes }),
  ledger: z.strictObject({
    syncMs: Duration,
    shipMs: Duration,
    segmentBytesMax: Bytes,
    backlogBytesMax: Bytes,
  }),
  turns: z.strictObject({
    shipMs: Duration,
    segmentBytesMax: Bytes,
    backlogBytesMax: Bytes,
    turnBytesMax: Bytes,
    bytesPerSecondMax: Bytes,
  }),
  otel: Otel.nullable(),
  answerHeaders: z.array(z.enum(answerHeaderNames)),
  export: Export.nullable(),
})
export type ProxyConfig = Readonly<z.infer<typeof ProxyConfig>>
/** Without a line socket no sandbox comes in: a worker has none. */
export type GatewayConfig = Omit<ProxyConfig, 'lineSocket'> & { lineSocket: string | null }

export const parseConfig = (input: unknown) => parse(ProxyConfig, input)
