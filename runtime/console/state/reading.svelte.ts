// What a page reads from the API and shows: kept while it is read again, so nothing flashes.
import { untrack } from 'svelte'
import { ask } from './ask.ts'
import { Asking } from './asking.svelte.ts'
import { live } from './live.svelte.ts'

export class Reading<T> extends Asking {
  data: T | undefined = $state.raw(undefined)
  #path: () => string | null

  /**
   * Must be made while a component starts. Reads when `path` changes, and when the live line was opened again; null reads nothing.
   * @param everyMs Reads again that often while the page is seen.
   */
  constructor(path: () => string | null, everyMs?: number) {
    super()
    this.#path = path
    $effect(() => {
      path()
      void live.opened
      untrack(() => void this.again())
      return this.giveUp
    })
    if (everyMs !== undefined) this.#poll(everyMs)
  }

  /** Reads once more, now. Resolves when it is shown. */
  again = async (): Promise<void> => {
    const path = this.#path()
    this.giveUp()
    if (path === null) return
    await this.asking(
      (signal) => ask<T>(path, { signal }),
      (data) => {
        this.data = data
      },
    )
  }

  #poll(everyMs: number): void {
    $effect(() => {
      const timer = setInterval(() => {
        if (document.visibilityState === 'visible') void this.again()
      }, everyMs)
      return () => clearInterval(timer)
    })
  }
}
