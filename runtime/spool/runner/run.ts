// What a runner carries through one pass of one loop, and the two ways it leaves a pass early.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type { Peers } from '#kernel/peers.ts'
import type { Programs } from '../agents/programs.ts'
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

/** Somebody paused the loop: nothing of it starts, and its place is free. */
export class Rests extends Error {
  override readonly name = 'Rests'
}

/** The sandbox died under its agent. That is seldom the machine's doing. */
export class SandboxLost extends Error {
  override readonly name = 'SandboxLost'
  constructor() {
    super(
      'The sandbox was lost while its agent ran: all in it was killed. An agent does that with `kill -KILL -1`; a server that is killed does it too.',
    )
  }
}

/** The machine has no room now: the same again later, and nobody's failure. */
export class Waits extends Error {
  override readonly name = 'Waits'
}

/** Of the loop's own time, which stands still while it rests because somebody paused it. */
export function elapsedMs({ loop, now }: Pick<Run, 'loop' | 'now'>): number {
  if (loop.started_at === null) return 0
  return Math.max(0, (loop.held_from ?? now().getTime()) - loop.started_at - loop.held_ms)
}

export const spentOf = ({ loop }: Pick<Run, 'loop'>) => ({
  tokens: loop.input_tokens + loop.output_tokens,
  nanoUsd: loop.cost_nano_usd,
})

export const clientDeps = ({ peers, held, config }: Run) => ({
  peers,
  signal: held.signal,
  bundleBytesMax: config.bundleBytesMax,
})
