// What a page reads from the API and shows: kept while it is read again, so nothing flashes.
import { untrack } from 'svelte'
import { ask, type Refusal } from './ask.ts'
import { live } from './live.svelte.ts'

const slowMs = 300 // Before that, waiting is not worth showing.

export class Reading<T> {
  data: T | undefined = $state.raw(undefined)
  error: Refusal | undefined = $state.raw(undefined)
  /** It takes long enough to be worth a skeleton. */
  isSlow = $state(false)
  #path: () => string | null
  #gone: AbortController | undefined
  #every: number | undefined

  /**
   * Must be made while a component starts. Reads when `path` changes, and when the live line was opened again; null reads nothing.
   * @param everyMs Reads again that often while the page is seen.
   */
  constructor(path: () => string | null, everyMs?: number) {
    this.#path = path
    this.#every = everyMs
    $effect(() => {
      const wanted = path()
      void live.opened
      untrack(() => void this.#read(wanted))
      return () => this.#gone?.abort()
    })
    if (this.#every !== undefined) this.#poll(this.#every)
  }

  /** Reads once more, now. Resolves when it is shown. */
  again = (): Promise<void> => this.#read(this.#path())

  #poll(everyMs: number): void {
    $effect(() => {
      const timer = setInterval(() => {
        if (document.visibilityState === 'visible') void this.again()
      }, everyMs)
      return () => clearInterval(timer)
    })
  }

  async #read(path: string | null): Promise<void> {
    this.#gone?.abort()
    if (path === null) return
    const gone = new AbortController()
    this.#gone = gone
    const slow = setTimeout(() => {
      this.isSlow = true
    }, slowMs)
    try {
      const data = await ask<T>(path, { signal: gone.signal })
      if (gone.signal.aborted) return
      this.data = data
      this.error = undefined
    } catch (error) {
      if (!gone.signal.aborted) this.error = error as Refusal
    } finally {
      clearTimeout(slow)
      if (!gone.signal.aborted) this.isSlow = false
    }
  }
}
