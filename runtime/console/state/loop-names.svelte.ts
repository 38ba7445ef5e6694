// What loops are called, for pages that know them by their id.
import type { LoopPage } from '../../spool/api.ts'
import { Reading } from './reading.svelte.ts'

export class LoopNames {
  #recent = new Reading<LoopPage>(() => '/api/loops?limit=200')
  #names = $derived(new Map(this.#recent.data?.items.map(({ id, name }) => [id, name])))

  /** Must be made while a component starts. An old loop has no name here. */
  of = (id: string): string | undefined => this.#names.get(id)
}
