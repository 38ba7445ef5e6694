// Sandboxes started ahead of need: up and measured, but nobody's. It fills after the first use,
// never before: a machine that runs no loops holds no sandboxes.
import { setTimeout as sleep } from 'node:timers/promises'
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

// The sandbox that was just handed out has the machine first: its agent is starting.
const restMs = 500

export function createPool({ config, log, make, count }: PoolDeps): Pool {
  const warm: Entry[] = []
  let filling: Promise<void> | null = null
  const stop = new AbortController()

  const isShort = () =>
    !stop.signal.aborted && warm.length < config.warmMax && count() < config.sandboxesMax
  const fill = async () => {
    while (isShort()) {
      await sleep(restMs, undefined, { signal: stop.signal })
      warm.push(await make())
    }
  }
  return {
    take: () => warm.shift(),
    refill() {
      filling ??= fill()
        .catch((error: unknown) => {
          if (stop.signal.aborted) return
          log.warn({ error }, 'no warm sandbox; the next request tries again')
        })
        .finally(() => {
          filling = null
        })
    },
    drop(entry) {
      const at = warm.indexOf(entry)
      if (at >= 0) warm.splice(at, 1)
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await filling
    },
  }
}
