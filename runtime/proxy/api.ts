// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'
import { isZone } from './budgets/window.ts'
import { type ProviderSettings, settingsShape } from './provider-settings.ts'

export const wires = ['messages', 'chat', 'responses', 'gemini'] as const
export type Wire = (typeof wires)[number]

/**
 * What a call is for, beside its wire: generate an answer · count tokens, which costs nothing · sum a conversation up ·
 * embed · read or end a stored response.
 */
export const operations = ['generate', 'count', 'compact', 'embed', 'stored'] as const
export type Operation = (typeof operations)[number]

/** Which vendor's wire and header a provider wants. */
export const providerKinds = ['anthropic', 'openai', 'gemini', 'zai', 'openai-compatible'] as const
export type ProviderKind = (typeof providerKinds)[number]

const Key = z
  .string()
  .min(1)
  .max(10_000)
  .regex(/^[\x21-\x7e]+$/, 'The key must be one line of printable characters.')
const BaseUrl = z.url({ protocol: /^https?$/ }).max(2_000)
const Models = z.array(z.string().min(1).max(200)).max(500)

export const NewProvider = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'Use lower-case letters, digits and inner hyphens.',
    ),
  kind: z.enum(providerKinds),
  /** The credential itself; the command reads it from a file. It never comes back. */
  key: Key,
  /** Origin, or origin and prefix; with or without /v1 or /v1beta at its end. Of Z.ai either style's. */
  baseUrl: BaseUrl.optional(),
  /** Needed for an address that is private, loopback or link-local. */
  allowPrivate: z.boolean().default(false),
  models: Models.default([]),
  ...z.strictObject(settingsShape).partial().shape,
})
export type NewProvider = z.infer<typeof NewProvider>
export type NewProviderInput = z.input<typeof NewProvider>

/** `PUT /api/providers/:name`: what is given replaces what is stored; the rest stays. */
export const ProviderChange = z
  .strictObject({
    key: Key.optional(),
    /** Wants the key as well: a stored one never goes to another address than it was given for. */
    baseUrl: BaseUrl.optional(),
    allowPrivate: z.boolean().optional(),
    models: Models.optional(),
    ...z.strictObject(settingsShape).partial().shape,
  })
  .refine((change) => Object.keys(change).length > 0, 'Say what is to change.')
export type ProviderChange = z.infer<typeof ProviderChange>

export type Provider = {
  name: string
  kind: ProviderKind | 'rehearsal'
  baseUrl: string
  allowPrivate: boolean
  models: string[]
  createdAt: string
  lastUsedAt: string | null
  /** A sentence on a key that expires soon, or has. */
  warning: string | null
} & ProviderSettings

/** What vendors do by themselves inside a call, and charge by use. `other` = a kind that is not known here. */
export const serverTools = [
  'web_search',
  'web_fetch',
  'code_execution',
  'file_search',
  'maps_search',
  'image_generation',
  'advisor',
  'other',
] as const
export type ServerTool = (typeof serverTools)[number]

/** Tokens of one call. `inputTokens` holds all of the prompt, cached ones included. */
export type CallUsage = {
  inputTokens: number
  cachedTokens: number
  cacheWriteTokens: number
  /** Of the writes, those that last an hour: they cost more. */
  cacheWrite1hTokens: number
  outputTokens: number
  /** Of the output, what was thought and not said. */
  reasoningTokens: number
  /** Uses of the vendor's own tools. One that was not used is left out. */
  serverToolCalls: Readonly<Partial<Record<ServerTool, number>>>
}

export type Call = {
  id: string
  org: string
  loop: string | null
  pass: number | null
  attempt: number | null
  sandbox: string | null
  key: string | null
  /** The API key's, or that of the key that started the loop. */
  team: string | null
  /** What its caller said of it: `x-treadle-tags`, and for whom it is. */
  tags: Readonly<Record<string, string>>
  endUser: string | null
  provider: string | null
  model: string
  wire: Wire
  isRehearsal: boolean
  /** begun: no end known yet · settled: exact usage · estimated: cut or without usage · denied: never sent. */
  state: 'begun' | 'settled' | 'estimated' | 'denied'
  status: number | null
  usage: CallUsage
  /** How the vendor served it where that changes the price: `flex`, `priority`, `batch`, `fast`, `geo-us`. */
  serviceTier: string | null
  costNanoUsd: number
  /** False also where a part of it has no price: a tool of the vendor's, or the way it was served. */
  isPriced: boolean
  stopReason: string | null
  toolCalls: number
  beganAt: string
  endedAt: string | null
  firstByteMs: number | null
  /** Null for what was never sent, and for what was booked before this was measured. */
  timing: CallTiming | null
  error: string | null
}

/** Milliseconds since `beganAt`, when it was booked; `intakeMs` is from its request's head until then. */
export type CallTiming = {
  intakeMs: number
  /** Null = it did not come to it. */
  sentMs: number | null
  firstByteMs: number | null
  lastByteMs: number | null
}

/** A call in flight: `GET /api/calls/live`. */
export type LiveCall = Pick<
  Call,
  'id' | 'key' | 'loop' | 'pass' | 'sandbox' | 'provider' | 'model' | 'wire' | 'isRehearsal'
> & {
  user: string
  beganAt: string
  sinceMs: number
  /** Null = nothing has come yet. */
  firstByteMs: number | null
  /** Of the answer, so far. */
  bytes: number
  tries: number
}
/** The oldest first; `total` counts those that `limit` leaves out as well. */
export type LiveCalls = { items: LiveCall[]; total: number }

/** A call that ended, as it is exported: never with what was said. Times are as in `CallTiming`. */
export type ExportedCall = Omit<Call, 'error' | 'stopReason' | 'timing' | 'endedAt'> & {
  user: string
  /** Why it was denied. */
  code: string | null
  endedAt: string
  intakeMs: number | null
  sentMs: number | null
  lastByteMs: number | null
}
/** The body that a webhook gets. */
export type CallsExport = { type: 'calls.ended'; calls: readonly ExportedCall[] }

/** The proxy's own record of one sandbox's calls: `GET /internal/sandboxes/:id/record`. Complete up to now. */
export type SandboxRecord = {
  calls: number
  inFlight: number
  /** When the last call began or a byte of one arrived. */
  lastActiveAt: string | null
  usage: CallUsage
  costNanoUsd: number
  last: {
    status: number | null
    state: Call['state']
    stopReason: string | null
    toolCalls: number
    /** The assistant's words in the last complete answer, the last 16 KiB of them. */
    text: string
    error: string | null
    /** Seconds the upstream asked to wait, where it did. */
    retryAfterS: number | null
  } | null
  /** The last refusal by this proxy, where there was one. */
  denial: { code: string; message: string } | null
}

export type UsageRow = {
  day: string
  provider: string | null
  model: string
  loop: string | null
  /** Null also where `by` does not ask for them. */
  team: string | null
  user: string | null
  key: string | null
  endUser: string | null
  /** The value of the tag that `by` names. */
  tag: string | null
  isRehearsal: boolean
  calls: number
  usage: CallUsage
  costNanoUsd: number
  unpricedCalls: number
  estimatedCalls: number
}

/** `POST /api/providers/:name/test`: `call` asks for one token of a model as well, which costs that much. */
export const ProviderTestQuestion = z.strictObject({
  call: z.boolean().default(false),
  /** Default: the first that the provider lists. */
  model: z.string().min(1).max(200).optional(),
})
export type ProviderTestQuestion = z.infer<typeof ProviderTestQuestion>

/** The provider's list of models was asked for, with the vaulted credential. */
export type ProviderTest = {
  ok: boolean
  /** Null = no answer came; `error` then says why. */
  status: number | null
  latencyMs: number
  error: string | null
  /** The one-token call, where it was asked for. */
  call: { ok: boolean; model: string; status: number | null; error: string | null } | null
  /** A sentence on a key that expires soon, or has. */
  warning: string | null
}

export const budgetLevels = ['org', 'team', 'user', 'key', 'loop', 'sandbox', 'model'] as const
export type BudgetLevel = (typeof budgetLevels)[number]
export const budgetUnits = ['usd', 'tokens', 'requests'] as const
export type BudgetUnit = (typeof budgetUnits)[number]
export const budgetWindows = ['minute', 'hour', 'day', 'week', 'month', 'total'] as const
export type BudgetWindow = (typeof budgetWindows)[number]

/** Nano-dollars, tokens or requests: whole numbers that JSON carries exactly. Nine million dollars are the most. */
const Amount = z.int().min(0).max(9_000_000_000_000_000)
const Pattern = z
  .string()
  .max(200)
  .regex(/^[^*]+\*?$/, 'Write a model name, or a prefix and one star at the end.')
const ClipTokens = z.int().min(1).max(1_000_000)

export const NewBudget = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        'Use lower-case letters, digits and inner hyphens.',
      ),
    /** Whose calls count. */
    level: z.enum(budgetLevels),
    /** The id of its level, or a model; not for the organisation, which is the caller's. */
    subject: z.string().min(1).max(200).optional(),
    /** Counts calls of this model alone. */
    model: Pattern.optional(),
    unit: z.enum(budgetUnits),
    amount: Amount,
    window: z.enum(budgetWindows),
    /** By whose calendar a window begins. */
    zone: z
      .string()
      .max(64)
      .refine(isZone, 'Write a time zone such as Europe/Berlin.')
      .default('UTC'),
    /** `allow`: a call that does not fit asks for fewer tokens, and is then sent. */
    clip: z.enum(['off', 'allow']).default('off'),
    /** Fewer output tokens than this are worth no call. */
    clipTokensMin: ClipTokens.default(1_024),
    /** `observe` counts, and lets all pass. */
    enforce: z.enum(['refuse', 'observe']).default('refuse'),
  })
  .superRefine(({ level, subject, unit, clip }, context) => {
    const say = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (level === 'org' && subject !== undefined) say('subject', 'The organisation needs none.')
    if (level !== 'org' && subject === undefined) say('subject', `Name the ${level}.`)
    if (level === 'model' && subject !== undefined && !Pattern.safeParse(subject).success)
      say('subject', 'Write a model name, or a prefix and one star at the end.')
    if (unit === 'requests' && clip === 'allow') say('clip', 'A request cannot be clipped.')
  })
export type NewBudget = z.infer<typeof NewBudget>
export type NewBudgetInput = z.input<typeof NewBudget>

/** `PUT /api/budgets/:name`: what is given replaces what is stored. What it counts never changes: that is another budget. */
export const BudgetChange = z
  .strictObject({
    amount: Amount.optional(),
    clip: z.enum(['off', 'allow']).optional(),
    clipTokensMin: ClipTokens.optional(),
    enforce: z.enum(['refuse', 'observe']).optional(),
    enabled: z.boolean().optional(),
    /** Ends a raise before its time. */
    raise: z.null().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'Say what is to change.')
export type BudgetChange = z.infer<typeof BudgetChange>

/** `POST /api/budgets/:name/raise`: another amount, until a moment. */
export const BudgetRaise = z.strictObject({
  amount: Amount,
  until: z.iso.datetime({ offset: true }),
})
export type BudgetRaise = z.infer<typeof BudgetRaise>

export type Budget = {
  name: string
  level: BudgetLevel
  subject: string | null
  model: string | null
  unit: BudgetUnit
  amount: number
  window: BudgetWindow
  zone: string
  clip: 'off' | 'allow'
  clipTokensMin: number
  enforce: 'refuse' | 'observe'
  enabled: boolean
  raise: { amount: number; until: string } | null
  madeBy: string
  createdAt: string
}

/** `GET /api/budgets/:name/use`: its window of the moment. */
export type BudgetUse = {
  name: string
  unit: BudgetUnit
  /** What it allows now, a raise included. */
  amount: number
  used: number
  /** Leased to proxies and not spent: to be spent by them alone. */
  leased: number
  /** Of that, what calls in flight of this proxy may come to. */
  reserved: number
  /** Below zero after calls that came to more than was proved, or a lowered amount. */
  left: number
  from: string | null
  /** Null = it does not reset. */
  resetsAt: string | null
}

/** What is known of a model, as `GET /api/prices` tells it. Prices in US dollars, of tokens by the million. */
export type PriceRow = {
  kind: Provider['kind']
  model: string
  /** Where the price is from; null = it has none, and its calls are counted as unpriced. */
  source: 'config' | 'file' | 'shipped' | 'list' | null
  /** The first holds for all calls; a later one for those whose prompt is over `above` tokens. */
  tiers: {
    above: number
    input: number
    cached: number
    cacheWrite5m: number
    cacheWrite1h: number
    output: number
    reasoning: number
  }[]
  /** By use of the vendor's own tools, `usesMax` uses of a call at most. */
  serverTools: Record<string, { usd: number; usesMax: number | null }>
  /** Factors of how a call was served. */
  serviceTiers: Record<string, number>
  contextTokensMax: number | null
  outputTokensMax: number | null
}

/** `POST /api/prices/check`: whether a file of prices would be taken. Nothing changes. */
export type PriceCheck = {
  ok: boolean
  models: number
  problems: { path: string; value?: string; message: string }[]
}
