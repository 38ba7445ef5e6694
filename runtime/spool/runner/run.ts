// What a runner carries through one pass of one loop, and the two ways it leaves a pass early.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type { Peers } from '#kernel/peers.ts'
import type { Programs } from '../agents/profile.ts'
import type { Ending } from '../api.ts'
import type { SpoolConfig } from '../config.ts'
import type { Work } from '../git/work.ts'
import type { LoopRow } from '../sql/loops.ts'
import type { Held } from './lease.ts'

export type Run = {
  config: SpoolConfig
  db: DatabasePool
  log: Logger
  peers: Peers
  now: () => Date
  folder: string
  programs: Programs
  held: Held
  /** As it was when it was read last. */
  loop: LoopRow
  work: Work
}

/** The loop ends here, whatever the pass was at. */
export class EndsLoop extends Error {
  override readonly name = 'EndsLoop'
  readonly ending: Ending
  constructor(ending: Ending, reason: string, cause?: unknown) {
    super(reason, { cause })
    this.ending = ending
  }
}

/** The machine has no room now: the same again later, and nobody's failure. */
export class Waits extends Error {
  override readonly name = 'Waits'
}

export const elapsedMs = ({ loop, now }: Run) =>
  loop.started_at === null ? 0 : Math.max(0, now().getTime() - loop.started_at)

export const spentOf = ({ loop }: Pick<Run, 'loop'>) => ({
  tokens: loop.input_tokens + loop.output_tokens,
  nanoUsd: loop.cost_nano_usd,
})

export const clientDeps = ({ peers, held, config }: Run) => ({
  peers,
  signal: held.signal,
  bundleBytesMax: config.bundleBytesMax,
})
