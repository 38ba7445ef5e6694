// A line of the ledger has the columns of its table, so shipping is a copy. Everything stands in each line:
// an end needs no beginning to be understood.
import type { CallUsage, Provider, Wire } from './api.ts'
import type { Caller } from './caller.ts'
import type { Timing } from './observe/call-watch.ts'
import type { Attribution, Tags } from './policy/tags.ts'
import type { Prices } from './prices/prices.ts'

export type Facts = {
  id: string
  org: string
  user: string
  team?: string | null
  /** These two are left out where the caller said nothing: most calls have none. */
  tags?: Tags
  end_user?: string
  loop: string | null
  pass: number | null
  attempt: number | null
  sandbox: string | null
  key: string | null
  provider: string | null
  model: string
  wire: Wire
  is_rehearsal: boolean
  began_at: string
}
/** What an end adds to the facts. */
type End = {
  state: 'settled' | 'estimated' | 'denied'
  status: number | null
  input_tokens: number
  cached_tokens: number
  cache_write_tokens: number
  output_tokens: number
  /** These four are left out where there is nothing to say: most calls have none. */
  cache_write_1h_tokens: number | undefined
  reasoning_tokens: number | undefined
  server_tool_calls: CallUsage['serverToolCalls'] | undefined
  service_tier: string | undefined
  cost_nano_usd: number
  is_priced: boolean
  stop_reason: string | null
  tool_calls: number
  ended_at: string
  first_byte_ms: number | null
  intake_ms: number | null
  sent_ms: number | null
  last_byte_ms: number | null
  error: string | null
  code: string | null
  text: string
  retry_after_s: number | null
}
export type LedgerLine =
  | (Facts & { state: 'begun'; kind: Provider['kind']; input_tokens: number })
  | (Facts & End)

/** A call that is booked as begun. */
export type Begun = {
  facts: Facts
  kind: Provider['kind']
  /** The prompt's tokens as guessed by its bytes: the estimate if nothing better comes. */
  inputGuess: number
  /** What the call holds in budgets, as JSON; a replay charges it. */
  holds: string | null
  /** The facts as text, open at its end: both lines of a call start with it, so they are written down once. */
  head: string
}

const bytesPerToken = 4 // The usual rule of thumb for English and code.
export const guessTokens = (bytes: number) => Math.ceil(bytes / bytesPerToken)

const textBytesMax = 16 * 1024
const errorCharsMax = 500

export type FactsOf = {
  id: string
  caller: Caller
  provider: string | null
  model: string
  wire: Wire
  beganAt: Date
  said?: Attribution
}

export function toFacts(
  { id, caller, provider, model, wire, beganAt, said }: FactsOf,
  isRehearsal: boolean,
): Facts {
  const { org, user, key, sandbox, team } = caller
  const facts: Facts = {
    id,
    org,
    user,
    ...(team && { team }),
    loop: sandbox?.loop ?? null,
    pass: sandbox?.pass ?? null,
    attempt: sandbox?.attempt ?? null,
    sandbox: sandbox?.sub ?? null,
    key,
    provider,
    model: toStored(model),
    wire,
    is_rehearsal: isRehearsal,
    began_at: beganAt.toISOString(),
  }
  if (said && said.endUser !== null) facts.end_user = toStored(said.endUser)
  if (said && !isEmpty(said.tags)) facts.tags = said.tags // Printable ASCII, by its grammar.
  return facts
}

export function toBegun(
  facts: Facts,
  kind: Provider['kind'],
  bodyBytes: number,
  holds: string | null = null,
): Begun {
  const head = JSON.stringify(facts).slice(0, -1)
  return { facts, kind, inputGuess: guessTokens(bodyBytes), head, holds }
}

/** The head of a call that was answered by another provider than it was begun with. */
export const withProvider = ({ facts, head }: Begun, provider: string): string =>
  facts.provider === provider ? head : JSON.stringify({ ...facts, provider }).slice(0, -1)

// The columns that may not be null, as a call has them that has not ended.
const nothingYet =
  '"cached_tokens":0,"cache_write_tokens":0,"output_tokens":0,"cost_nano_usd":0,"is_priced":false,"tool_calls":0,"text":""'

export const toBegunLine = ({ head, kind, inputGuess, holds }: Begun): string =>
  `${head},"state":"begun","kind":"${kind}","input_tokens":${inputGuess},${nothingYet}${toHolds(holds)}}`

const toHolds = (holds: string | null | undefined) => (holds ? `,"holds":${holds}` : '')

export type Ending = {
  state: End['state']
  status: number | null
  usage: CallUsage
  serviceTier?: string | null
  /** Null = no price. */
  costNanoUsd: number | null
  /** False where a part of the call has no price. */
  isWhollyPriced?: boolean
  stopReason?: string | null
  toolCalls?: number
  endedAt: Date
  firstByteMs?: number | null
  timing?: Timing
  error?: string | null
  code?: string | null
  text?: string
  retryAfterS?: number | null
  /** What the call charges its budgets, as JSON. */
  holds?: string | null
}

const toEnd = (ending: Ending): End => ({
  state: ending.state,
  status: ending.status,
  input_tokens: ending.usage.inputTokens,
  cached_tokens: ending.usage.cachedTokens,
  cache_write_tokens: ending.usage.cacheWriteTokens,
  output_tokens: ending.usage.outputTokens,
  cache_write_1h_tokens: ending.usage.cacheWrite1hTokens || undefined,
  reasoning_tokens: ending.usage.reasoningTokens || undefined,
  server_tool_calls: isEmpty(ending.usage.serverToolCalls)
    ? undefined
    : ending.usage.serverToolCalls,
  service_tier: ending.serviceTier ?? undefined,
  cost_nano_usd: ending.costNanoUsd ?? 0,
  is_priced: ending.costNanoUsd !== null && ending.isWhollyPriced !== false,
  stop_reason: ending.stopReason ? toStored(ending.stopReason.slice(0, errorCharsMax)) : null,
  tool_calls: ending.toolCalls ?? 0,
  ended_at: ending.endedAt.toISOString(),
  first_byte_ms: ending.timing?.firstByteMs ?? ending.firstByteMs ?? null,
  intake_ms: ending.timing?.intakeMs ?? null,
  sent_ms: ending.timing?.sentMs ?? null,
  last_byte_ms: ending.timing?.lastByteMs ?? null,
  error: ending.error ? toStored(ending.error.slice(0, errorCharsMax)) : null,
  code: ending.code ?? null,
  text: toTail(ending.text ?? ''),
  retry_after_s: ending.retryAfterS ?? null,
})

export const toEndedLine = (head: string, ending: Ending): string =>
  `${head}${toHolds(ending.holds)},${JSON.stringify(toEnd(ending)).slice(1)}`

/** The end of a call of which only the beginning is known. */
export function toEstimatedLine(
  begun: LedgerLine & { state: 'begun' },
  endedAt: Date,
  prices: Prices,
  error: string,
): string {
  const usage = { ...noUsage, inputTokens: begun.input_tokens }
  const costNanoUsd = prices.costNanoUsd(begun.kind, begun.model, usage)
  const end = toEnd({ state: 'estimated', status: null, usage, costNanoUsd, endedAt, error })
  return JSON.stringify({ ...begun, ...end })
}

export const noUsage: CallUsage = {
  inputTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  serverToolCalls: {},
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false
  return true
}

/** The last 16 KiB, from a whole character on. */
function toTail(text: string): string {
  if (text.length * 3 <= textBytesMax) return toStored(text) // Three bytes a UTF-16 unit is the most.
  const bytes = Buffer.from(text)
  if (bytes.length <= textBytesMax) return toStored(text)
  let from = bytes.length - textBytesMax
  while ((bytes[from]! & 0xc0) === 0x80) from += 1
  return toStored(bytes.toString('utf8', from))
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair, and one such line would stop all shipping. */
export const toStored = (text: string) => text.toWellFormed().replaceAll('\0', '\ufffd')
