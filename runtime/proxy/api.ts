// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'

export const wires = ['messages', 'chat', 'responses', 'gemini'] as const
export type Wire = (typeof wires)[number]

/**
 * What a call is for, beside its wire: generate an answer · count tokens, which costs nothing · sum a conversation up ·
 * embed · read or end a stored response.
 */
export const operations = ['generate', 'count', 'compact', 'embed', 'stored'] as const
export type Operation = (typeof operations)[number]

/** Which vendor's wire and header a provider wants. */
export const providerKinds = ['anthropic', 'openai', 'gemini'] as const
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
  /** Origin, or origin and prefix, before /v1 or /v1beta. */
  baseUrl: BaseUrl.optional(),
  /** Needed for an address that is private, loopback or link-local. */
  allowPrivate: z.boolean().default(false),
  models: Models.default([]),
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
}

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
  team: string | null
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
  isRehearsal: boolean
  calls: number
  usage: CallUsage
  costNanoUsd: number
  unpricedCalls: number
  estimatedCalls: number
}

/** `POST /api/providers/:name/test`: the provider's list of models was asked for, with the vaulted credential. */
export type ProviderTest = {
  ok: boolean
  /** Null = no answer came; `error` then says why. */
  status: number | null
  latencyMs: number
  error: string | null
}
