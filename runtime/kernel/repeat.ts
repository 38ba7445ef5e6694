import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './log.ts'

/** Runs `work` every `everyMs` until disposed; a failure is logged and the next turn tries again. */
export function startRepeating(
  work: (signal: AbortSignal) => Promise<void>,
  everyMs: number,
  log: Logger,
): AsyncDisposable {
  const stop = new AbortController()
  const running = run()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await work(stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted)
          log.warn({ error }, 'a repeated task failed; its next turn tries again')
      })
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => {}) // An abort ends the loop above.
    }
  }
}
