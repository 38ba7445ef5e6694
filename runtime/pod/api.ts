// What weaver says to the daemon in a sandbox, over a Unix socket in the sandbox's own run folder, as HTTP.
// The daemon shares a uid with the agent, so weaver treats every answer as untrusted: sizes are bounded, shapes parsed.
import { z } from 'zod'
import type { Probe } from '../weaver/api.ts'

/** Where the daemon offers the way out inside network namespaces; without one (isolation none) it takes a free port. */
export const proxyPort = 7401

export const Activation = z.strictObject({
  /** The sandbox's own token, or null where there is no way out. */
  token: z.string().nullable(),
})
export type Activation = z.infer<typeof Activation>

/** What the daemon says on standard output when it listens, behind the word `ready`. */
export type Ready = {
  probes: Probe[]
  /** Where the agent finds the proxy; null where there is no way out, or not yet. */
  origin: string | null
}
