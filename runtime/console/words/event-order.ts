// Events of one loop in their order, each once, whatever the line drops, repeats or brings late.
import type { LoopEvent } from '../../spool/api.ts'

type Options = {
  apply: (event: LoopEvent) => void
  /** Events after that one, in order. */
  read: (after: number) => Promise<LoopEvent[]>
}

export class EventOrder {
  #last: number | undefined
  #waiting: LoopEvent[] = []
  #isReading = false
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  /** The first event ever is where counting begins: what came before it was read with the page. */
  take(event: LoopEvent): void {
    this.#last ??= event.seq - 1
    if (event.seq <= this.#last) return
    this.#waiting.push(event)
    this.#drain()
    if (this.#waiting.length > 0) void this.#fill()
  }

  /** The line was away: asks what it may have missed. */
  async catchUp(): Promise<void> {
    if (this.#last !== undefined) await this.#fill()
  }

  async #fill(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    try {
      this.#waiting.push(...(await this.#options.read(this.#last!)))
    } catch {
      // No answer: the next event, or the line's return, asks again.
    } finally {
      this.#isReading = false
      this.#drain()
    }
  }

  #drain(): void {
    this.#waiting.sort((one, other) => one.seq - other.seq)
    while (this.#waiting.length > 0) {
      const event = this.#waiting[0]!
      if (event.seq > this.#last! + 1) return
      this.#waiting.shift()
      if (event.seq <= this.#last!) continue
      this.#last = event.seq
      this.#options.apply(event)
    }
  }
}

/** JSON lines; blank ones keep the connection. */
export const parseEvents = (text: string): LoopEvent[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as LoopEvent)
