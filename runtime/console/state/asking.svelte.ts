// What is asked of the API for a page: one question at a time, an older one is given up; slow only where waiting shows.
import type { Refusal } from './ask.ts'

const slowMs = 300 // Before that, waiting is not worth showing.

export class Asking {
  error: Refusal | undefined = $state.raw(undefined)
  /** It takes long enough to be worth a skeleton. */
  isSlow = $state(false)
  #gone: AbortController | undefined

  giveUp = (): void => this.#gone?.abort()

  /** `take` shows what came; it is not called where a newer question was asked meanwhile. Nothing is thrown. */
  protected async asking<T>(
    question: (signal: AbortSignal) => Promise<T>,
    take: (answer: T) => void,
  ): Promise<void> {
    this.giveUp()
    const gone = new AbortController()
    this.#gone = gone
    const slow = setTimeout(() => {
      this.isSlow = true
    }, slowMs)
    try {
      const answer = await question(gone.signal)
      if (gone.signal.aborted) return
      take(answer)
      this.error = undefined
    } catch (error) {
      if (!gone.signal.aborted) this.error = error as Refusal
    } finally {
      clearTimeout(slow)
      if (!gone.signal.aborted) this.isSlow = false
    }
  }
}
