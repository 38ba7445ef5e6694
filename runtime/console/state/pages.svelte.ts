// A list that is read page by page, each with a button; read anew when its path changes or the live line was opened.
import { untrack } from 'svelte'
import { ask, type Refusal } from './ask.ts'
import { live } from './live.svelte.ts'

type PageOf<Item> = { items: Item[]; cursor: string | number | null }
const slowMs = 300

export class Pages<Item> {
  items: Item[] = $state.raw([])
  hasMore = $state(false)
  isRead = $state(false)
  isSlow = $state(false)
  error: Refusal | undefined = $state.raw(undefined)
  #path: () => string | null
  #cursor: string | number | null = null
  #gone: AbortController | undefined

  /** Must be made while a component starts. `path` may have a query already. */
  constructor(path: () => string | null) {
    this.#path = path
    $effect(() => {
      path()
      void live.opened
      untrack(() => void this.again())
      return () => this.#gone?.abort()
    })
  }

  again = (): Promise<void> => this.#read(null)
  more = (): Promise<void> => this.#read(this.#cursor)

  async #read(cursor: string | number | null): Promise<void> {
    this.#gone?.abort()
    const path = this.#path()
    if (path === null) return
    const gone = new AbortController()
    this.#gone = gone
    const slow = setTimeout(() => {
      this.isSlow = true
    }, slowMs)
    try {
      const mark = path.includes('?') ? '&' : '?'
      const from = cursor === null ? '' : `${mark}cursor=${encodeURIComponent(cursor)}`
      const page = await ask<PageOf<Item>>(path + from, { signal: gone.signal })
      this.items = cursor === null ? page.items : [...this.items, ...page.items]
      this.#cursor = page.cursor
      this.hasMore = page.cursor !== null
      this.isRead = true
      this.error = undefined
    } catch (error) {
      if (!gone.signal.aborted) this.error = error as Refusal
    } finally {
      clearTimeout(slow)
      if (!gone.signal.aborted) this.isSlow = false
    }
  }
}
