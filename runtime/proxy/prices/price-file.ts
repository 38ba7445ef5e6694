// Our own format of prices and limits: what ships in models.json, and what an operator may give in `proxy.pricesFile`.
// The README has it in full. A file is taken whole or not at all.
import { z } from 'zod'
import { type Parsed, parse } from '#kernel/parse.ts'
import { providerKinds, serverTools } from '../api.ts'

const usdPerMTokMax = 100_000 // Far above the dearest model; a price in dollars per token is a slip of the pen.
const entriesMax = 5_000
const picoPerUsd = 1_000_000 // Of a price per million tokens, in pico-dollars per token.

/** US dollars per million tokens, to whole pico-dollars a token: six places, so that no sum is ever rounded. */
const Rate = z
  .number()
  .min(0)
  .max(usdPerMTokMax)
  .refine(
    (usd) => Math.abs(usd * picoPerUsd - Math.round(usd * picoPerUsd)) < 1e-3,
    'Write six decimal places at most.',
  )

const ratesShape = {
  input: Rate,
  /** Missing = as input. */
  cached: Rate.optional(),
  /** Missing = as input. */
  cacheWrite5m: Rate.optional(),
  /** Missing = 1.6 times that of five minutes, as Anthropic has it. */
  cacheWrite1h: Rate.optional(),
  /** Missing = 0: embeddings have none. */
  output: Rate.optional(),
  /** Missing = as output. */
  reasoning: Rate.optional(),
}
const Above = z.strictObject({ inputTokens: z.int().min(1), ...ratesShape })
export type NamedRates = Readonly<Omit<z.infer<typeof Above>, 'inputTokens'>>

const ToolPrice = z.strictObject({
  usd: z.number().min(0).max(1_000),
  /** So many uses are charged at most: Google charges some searches by the prompt. */
  usesMax: z.int().min(1).optional(),
})

const Entry = z.strictObject({
  /** A model by its exact name, or a prefix and a star. */
  model: z
    .string()
    .max(200)
    .regex(/^[^*]+\*?$/, 'Write a model name, or a prefix and one star at the end.'),
  /** Only for providers of these kinds; missing = all. */
  kinds: z.array(z.enum([...providerKinds, 'rehearsal'])).optional(),
  /** Holds from this day on, in UTC; missing = always. */
  from: z.iso.date('Write a day as 2026-11-30.').optional(),
  /** Where the figures are from. */
  comment: z.string().max(2_000).optional(),
  contextTokensMax: z.int().min(1).max(100_000_000).optional(),
  outputTokensMax: z.int().min(1).max(100_000_000).optional(),
  rates: z.strictObject({ ...ratesShape, above: z.array(Above).max(10).optional() }).optional(),
  serverTools: z.partialRecord(z.enum(serverTools), ToolPrice).optional(),
  /** What tokens cost more or less by the way the vendor serves them: 0.5 = half. */
  serviceTiers: z.record(z.string().max(50), z.number().min(0).max(100)).optional(),
})
export type PriceEntry = Readonly<z.infer<typeof Entry>>

const PriceFile = z.strictObject({
  version: z.literal(1),
  comment: z.string().max(10_000).optional(),
  models: z.array(Entry).max(entriesMax),
})

export function parsePriceFile(input: unknown): Parsed<readonly PriceEntry[]> {
  const parsed = parse(PriceFile, input)
  return parsed.ok ? { ok: true, value: parsed.value.models } : parsed
}

/** The first one wins, by what is named most closely, and then by what began last. */
export const byCloseness = (entries: readonly PriceEntry[]): readonly PriceEntry[] =>
  entries.toSorted((a, b) => closeness(b) - closeness(a) || compare(b.from ?? '', a.from ?? ''))

const closeness = ({ model }: PriceEntry) =>
  model.endsWith('*') ? model.length - 1 : Number.MAX_SAFE_INTEGER

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

export function isFor(entry: PriceEntry, kind: string, model: string): boolean {
  if (entry.kinds && !entry.kinds.some((wanted) => wanted === kind)) return false
  return entry.model.endsWith('*')
    ? model.startsWith(entry.model.slice(0, -1))
    : model === entry.model
}
