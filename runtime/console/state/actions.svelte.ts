// What can be done on the page that is open: the command palette offers it, and its key does it.
import { untrack } from 'svelte'
import type { IconName } from '../parts/ui/icon.svelte'

export type Action = {
  name: string
  icon?: IconName
  /** A single key that does it, outside of text fields. */
  key?: string
  run: () => unknown
}

class Actions {
  #sets: (() => readonly Action[])[] = $state.raw([])
  all: readonly Action[] = $derived(this.#sets.flatMap((list) => list()))

  /** While the component lives that offers them. */
  offer(list: () => readonly Action[]): void {
    $effect(() => {
      untrack(() => {
        this.#sets = [...this.#sets, list]
      })
      return () => {
        this.#sets = this.#sets.filter((other) => other !== list)
      }
    })
  }
}

export const actions = new Actions()
