// What the wire carries of policies. Others import these as types.
import { z } from 'zod'
import { Label, Pattern } from '../routing/api.ts'

const patternsMax = 500
const Lists = z
  .strictObject({
    /** Null = any; an empty list = none. */
    allow: z.array(Pattern).max(patternsMax).nullable().default(null),
    /** Goes before `allow`. */
    deny: z.array(Pattern).max(patternsMax).default([]),
  })
  .default({ allow: null, deny: [] })
export type Lists = z.infer<typeof Lists>

export const loggings = ['off', 'metadata', 'full'] as const
export type Logging = (typeof loggings)[number]

export const NewPolicy = z.strictObject({
  models: Lists,
  /** By name, or by type where the vendor defines the tool. */
  tools: Lists,
  /** Tools that run at the vendor, such as its web search, by type. */
  serverTools: Lists,
  outputTokensMax: z.int().min(1).nullable().default(null),
  /** What happens to a call that asks for more, or does not say: it is refused, or lowered in place. */
  outputOver: z.enum(['refuse', 'clip']).default('refuse'),
  /** The provider must stand in one of these; null = anywhere. */
  regions: z.array(Label).min(1).max(20).nullable().default(null),
  /** The provider must carry all of these labels, such as zdr. */
  retention: z.array(Label).max(20).default([]),
  /**
   * What is kept of what was said. off: nothing. metadata: the end of an answer in a sandbox's record. full: the
   * conversation, in threads. Usage and cost are always kept.
   */
  logging: z.enum(loggings).default('full'),
  /**
   * What becomes of an answer whose client left. cancel: the upstream is aborted at once, and what it did is estimated.
   * drain: it finishes, within `clientLeft` of the config, and its usage is exact. Null = as another policy says, or cancel.
   * What a sandbox began always ends with it.
   */
  onClientLeft: z.enum(['cancel', 'drain']).nullable().default(null),
})
export type NewPolicy = z.infer<typeof NewPolicy>
export type NewPolicyInput = z.input<typeof NewPolicy>

/** `org`, `sandboxes` (all of the organisation), `team:<name>`, or `key:<id>`. */
export const Subject = z
  .string()
  .regex(
    /^(org|sandboxes|team:[a-z0-9-]{1,63}|key:[A-Za-z0-9_-]{1,100})$/,
    'Write org, sandboxes, team:NAME or key:ID.',
  )
export type Policy = NewPolicy & { subject: string; updatedAt: string }
