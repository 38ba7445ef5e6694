// Sandboxes started ahead of need: up and measured, but nobody's. It fills after the first use, never before: a machine
// that runs no loops holds no sandboxes.
import type { Logger } from '#kernel/log.ts'
import type { WeaverConfig } from './config.ts'
import type { Entry } from './entry.ts'

export type PoolDeps = {
  config: Pick<WeaverConfig, 'warmMax' | 'sandboxesMax'>
  log: Logger
  make: () => Promise<Entry>
  /** Of all sandboxes there are. */
  count: () => number
}
export type Pool = AsyncDisposable & {
  take(): Entry | undefined
  /** Starts what is missing, one after the other, in the background. */
  refill(): void
  drop(entry: Entry): void
}

export function createPool({ config, log, make, count }: PoolDeps): Pool {
  const warm: Entry[] = []
  let filling: Promise<void> | null = null
  let isClosed = false

  const isShort = () => !isClosed && warm.length < config.warmMax && count() < config.sandboxesMax
  const fill = async () => {
    while (isShort()) warm.push(await make())
  }
  return {
    take: () => warm.shift(),
    refill() {
      filling ??= fill()
        .catch((error: unknown) =>
          log.warn({ error }, 'no warm sandbox; the next request tries again'),
        )
        .finally(() => {
          filling = null
        })
    },
    drop(entry) {
      const at = warm.indexOf(entry)
      if (at >= 0) warm.splice(at, 1)
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await filling
    },
  }
}
