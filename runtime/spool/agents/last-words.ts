import type { Agent } from '../api.ts'
import { profiles } from './profiles.ts'

/** Of an agent that ends with a call of a tool: what it said by that, where its profile knows how to read it. */
export const readLastWords = (agent: Agent, output: Buffer): string | null =>
  typeof agent === 'string'
    ? (profiles[agent].readLastWords?.(output.toString('utf8')) ?? null)
    : null
