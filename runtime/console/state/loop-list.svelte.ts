// The loops that a filter finds: read by pages while one scrolls, and changed in place by what the appliance tells.
import { untrack } from 'svelte'
import type { LoopPage, LoopSummary } from '../../spool/api.ts'
import { isEmpty, type LoopFilter, matches } from '../words/loop-filter.ts'
import { ask, type Refusal, toPath } from './ask.ts'
import { live } from './live.svelte.ts'

const firstSize = 80 // A screen and some: the first rows are what one waits for.
const pageSize = 200

export class LoopList {
  items: LoopSummary[] = $state.raw([])
  total = $state(0)
  isRead = $state(false)
  error: Refusal | undefined = $state.raw(undefined)
  #cursor: string | null = null
  #reading: AbortController | undefined
  #wanted = 0
  #filter: () => LoopFilter

  /** Must be made while a component starts. */
  constructor(filter: () => LoopFilter) {
    this.#filter = filter
    $effect(() => {
      filter()
      void live.opened
      untrack(() => void this.again())
      return () => this.#reading?.abort()
    })
    $effect(() => live.onLoop((loop) => this.#take(loop)))
  }

  /** From the newest on, as many as were shown. */
  again = async (): Promise<void> => {
    this.#reading?.abort()
    const reading = new AbortController()
    this.#reading = reading
    const wanted = Math.max(firstSize, this.isRead ? this.items.length : 0)
    try {
      let page = await this.#page(null, reading.signal)
      const items = page.items
      while (page.cursor !== null && items.length < wanted) {
        page = await this.#page(page.cursor, reading.signal)
        items.push(...page.items)
      }
      this.items = items
      this.#cursor = page.cursor
      this.total = page.total
      this.isRead = true
      this.error = undefined
    } catch (error) {
      if (!reading.signal.aborted) this.error = error as Refusal
    } finally {
      if (this.#reading === reading) this.#reading = undefined
    }
  }

  /** Reads on until so many are there, or as many as were asked for meanwhile. */
  async more(rows: number): Promise<void> {
    this.#wanted = rows
    if (this.#reading) return
    const reading = new AbortController()
    this.#reading = reading
    try {
      while (this.#cursor !== null && this.items.length < this.#wanted) {
        const page = await this.#page(this.#cursor, reading.signal)
        const known = new Set(this.items.map(({ id }) => id))
        this.items = [...this.items, ...page.items.filter(({ id }) => !known.has(id))]
        this.#cursor = page.cursor
        this.total = page.total
      }
    } catch (error) {
      if (!reading.signal.aborted) this.error = error as Refusal
    } finally {
      if (this.#reading === reading) this.#reading = undefined
    }
  }

  #page(cursor: string | null, signal: AbortSignal): Promise<LoopPage> {
    const limit = cursor === null ? firstSize : pageSize
    return ask(toPath('/api/loops', { ...this.#filter(), limit, cursor }), { signal })
  }

  /** In place, where it is shown. It stays when it no longer matches: a list must not jump under the hand. */
  #take(loop: LoopSummary): void {
    const at = this.items.findIndex(({ id }) => id === loop.id)
    if (at >= 0) this.items = this.items.with(at, loop)
    else if (this.isRead && this.#isNew(loop) && matches(this.#filter(), loop)) {
      this.items = [loop, ...this.items]
      this.total += 1
    }
  }

  #isNew = (loop: LoopSummary) =>
    this.items.length === 0 || loop.createdAt >= this.items[0]!.createdAt

  get isFiltered(): boolean {
    return !isEmpty(this.#filter())
  }
}
