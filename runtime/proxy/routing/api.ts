// What the wire carries of routes. Others import these as types.
import { z } from 'zod'
import { type Budget, type Wire, wires } from '../api.ts'

/** What went wrong with a try, as far as it decides what comes next (failure-class.ts). */
export const failureClasses = [
  'dead-key',
  'rate-limited',
  'busy',
  'overloaded',
  'unsent',
  'failed',
  'unanswered',
  'bad-request',
] as const
export type FailureClass = (typeof failureClasses)[number]

/** A request that was bad is bad everywhere: no route can ask for it again. */
export const retryClasses = [
  'dead-key',
  'rate-limited',
  'busy',
  'overloaded',
  'unsent',
  'failed',
  'unanswered',
] as const
export type RetryClass = (typeof retryClasses)[number]

export const triesMax = 5 // More would keep an agent waiting longer than its own retries do.
export const targetsMax = 20

const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'Use lower-case letters, digits and inner hyphens.',
  )
const Model = z.string().min(1).max(200)
/** A name, or a prefix and one star. */
export const Pattern = z
  .string()
  .max(200)
  .regex(/^[^*]+\*?$|^\*$/, 'Write a name, or a prefix and one star at the end.')
export const Label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'Use up to 40 lower-case letters, digits, dots, hyphens.')
const Labels = z.array(Label).min(1).max(20)

export const RouteMatch = z.strictObject({
  models: z.array(Pattern).min(1).max(100),
  /** Each condition that is given must hold as well. */
  wires: z.array(z.enum(wires)).min(1).optional(),
  stream: z.boolean().optional(),
  tags: z.record(z.string().max(40), z.string().max(100)).optional(),
  teams: z.array(z.string().min(1).max(100)).min(1).max(100).optional(),
  keys: z.array(z.string().min(1).max(100)).min(1).max(100).optional(),
  /** The call's policy asks for one of these regions, or for all of these labels. */
  regions: Labels.optional(),
  retention: Labels.optional(),
})
export type RouteMatch = z.infer<typeof RouteMatch>

export const RouteTarget = z.strictObject({
  provider: Name,
  /** What the model is called there, where that is another name. */
  model: Model.optional(),
  weight: z.int().min(1).max(1_000).default(1),
  /** Lower ones go first; of equal ones the weights decide. Only `order` looks at it. */
  order: z.int().min(0).max(100).default(0),
})
export type RouteTarget = z.infer<typeof RouteTarget>

export const NewRoute = z.strictObject({
  name: Name,
  match: RouteMatch,
  targets: z.array(RouteTarget).min(1).max(targetsMax),
  strategy: z.enum(['order', 'weighted', 'least-busy']).default('order'),
  /** Off unless said: a request that is sent twice may be paid twice. */
  retry: z
    .strictObject({
      triesMax: z.int().min(1).max(triesMax),
      on: z.array(z.enum(retryClasses)).min(1),
    })
    .nullable()
    .default(null),
  affinity: z.enum(['session', 'off']).default('session'),
  /** Seconds of silence in a stream of events after which its client gets a sign of life. Null = never. */
  pingS: z.int().min(1).max(300).nullable().default(null),
})
export type NewRoute = z.infer<typeof NewRoute>
export type NewRouteInput = z.input<typeof NewRoute>
export type Route = NewRoute & { createdAt: string }

export type HealthState = 'good' | 'cooling' | 'half-open'
/** `GET /api/providers/:name/health`, as the process that answers sees it. */
export type ProviderHealth = {
  name: string
  state: HealthState
  /** Of the last failure; null = none since it was last good. */
  class: FailureClass | null
  /** Failures of that class in a row. */
  failures: number
  coolingUntil: string | null
  inFlight: number
  callsMax: number | null
}

/** `POST /api/explain`: where would it go, and why. */
export const ExplainQuestion = z.strictObject({
  model: Model,
  /** Default: the first wire that somebody serves the model on. */
  wire: z.enum(wires).optional(),
  /** An API key's id; default: the asker without a key. */
  key: z.string().min(1).max(100).optional(),
  /** As a sandbox, which may name one model alone, and a provider where its loop pins one. */
  sandbox: z.strictObject({ model: Model, provider: z.string().max(100).optional() }).optional(),
  stream: z.boolean().default(false),
  outputTokens: z.int().min(1).optional(),
  tools: z.array(z.string().max(200)).max(1_000).default([]),
  serverTools: z.array(z.string().max(200)).max(100).default([]),
  tags: z.record(z.string().max(40), z.string().max(100)).default({}),
  session: z.string().min(1).max(200).optional(),
})
export type ExplainQuestion = z.infer<typeof ExplainQuestion>
export type ExplainInput = z.input<typeof ExplainQuestion>

export type Candidate = {
  provider: string
  /** What the model is called there. */
  model: string
  isIn: boolean
  /** Why it is out, or in. */
  reason: string
  health: Omit<ProviderHealth, 'name'> | null
  isPriced: boolean | null
}
export type Explained = {
  caller: { org: string; user: string; key: string | null; isSandbox: boolean }
  model: string
  wire: Wire | null
  policy: {
    isAllowed: boolean
    checks: { rule: string; scope: string; isAllowed: boolean; say: string }[]
    regions: string[] | null
    retention: string[]
    outputTokensMax: number | null
    logging: 'off' | 'metadata' | 'full'
    onClientLeft: 'cancel' | 'drain'
  }
  /** Null = none matches: the oldest provider that lists the model and speaks the wire. */
  route: {
    name: string
    strategy: string
    affinity: string
    retry: NewRoute['retry']
    pingS: number | null
  } | null
  candidates: Candidate[]
  /** Providers in the order in which they would be tried. */
  order: string[]
  /** What the caller would be told instead. */
  refusal: { code: string; status: number; message: string } | null
  /** Those in which such a call counts. */
  budgets: readonly ExplainedBudget[]
}
export type ExplainedBudget = Pick<
  Budget,
  'name' | 'unit' | 'amount' | 'window' | 'enforce' | 'clip'
>
