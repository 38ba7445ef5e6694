// What the appliance tells by itself, for every page: loops that changed, their events, and whether it is there at all.
import type { LoopEvent, LoopSummary } from '../../spool/api.ts'
import { type LineStatus, type LiveMessage, openLiveLine } from './live-line.ts'

class Live {
  line: LineStatus = $state('connecting')
  database: 'up' | 'down' = $state('up')
  /** Goes up whenever the line was opened: whoever shows something reads it again. */
  opened = $state(0)

  #loops = new Set<(loop: LoopSummary) => void>()
  #events = new Set<(event: LoopEvent) => void>()

  start(signal: AbortSignal): void {
    openLiveLine(
      {
        path: '/api/loops/live',
        name: 'treadle-live',
        onMessage: (message) => this.#hear(message),
      },
      signal,
    )
  }

  /** Answers the way to stop it. */
  onLoop(hear: (loop: LoopSummary) => void): () => void {
    this.#loops.add(hear)
    return () => this.#loops.delete(hear)
  }

  onEvent(hear: (event: LoopEvent) => void): () => void {
    this.#events.add(hear)
    return () => this.#events.delete(hear)
  }

  #hear(message: LiveMessage): void {
    if (message.type === 'line') this.line = message.status
    else if (message.type === 'again') this.opened += 1
    else this.#told(message.event, message.data)
  }

  #told(event: string, data: unknown): void {
    if (event === 'loop') for (const hear of this.#loops) hear(data as LoopSummary)
    else if (event === 'event') for (const hear of this.#events) hear(data as LoopEvent)
    else if (event === 'health') this.#healthOf((data as { database: 'up' | 'down' }).database)
  }

  #healthOf(database: 'up' | 'down'): void {
    const isBack = this.database === 'down' && database === 'up'
    this.database = database
    if (isBack) this.opened += 1
  }
}

export const live = new Live()
