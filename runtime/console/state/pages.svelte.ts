// A list that is read page by page, each with a button; read anew when its path changes or the live line was opened.
import { untrack } from 'svelte'
import { ask } from './ask.ts'
import { Asking } from './asking.svelte.ts'
import { live } from './live.svelte.ts'

type PageOf<Item> = { items: Item[]; cursor: string | number | null }

export class Pages<Item> extends Asking {
  items: Item[] = $state.raw([])
  hasMore = $state(false)
  isRead = $state(false)
  #path: () => string | null
  #cursor: string | number | null = null

  /** Must be made while a component starts. `path` may have a query already. */
  constructor(path: () => string | null) {
    super()
    this.#path = path
    $effect(() => {
      path()
      void live.opened
      untrack(() => void this.again())
      return this.giveUp
    })
  }

  again = (): Promise<void> => this.#read(null)
  more = (): Promise<void> => this.#read(this.#cursor)

  async #read(cursor: string | number | null): Promise<void> {
    const path = this.#path()
    this.giveUp()
    if (path === null) return
    const mark = path.includes('?') ? '&' : '?'
    const from = cursor === null ? '' : `${mark}cursor=${encodeURIComponent(cursor)}`
    await this.asking(
      (signal) => ask<PageOf<Item>>(path + from, { signal }),
      (page) => {
        this.items = cursor === null ? page.items : [...this.items, ...page.items]
        this.#cursor = page.cursor
        this.hasMore = page.cursor !== null
        this.isRead = true
      },
    )
  }
}
