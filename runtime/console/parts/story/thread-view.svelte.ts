// A thread's messages, page after page, and those that come later. A message never changes once it is stored.
import { untrack } from 'svelte'
import type { Message, ThreadWithMessages } from '../../../threads/api.ts'
import { ask, type Refusal, toPath } from '../../state/ask.ts'
import { live } from '../../state/live.svelte.ts'

const pageSize = 500
const messagesMax = 10_000 // What a thread holds at most.
const everyMs = 2_000

export class ThreadView {
  thread: ThreadWithMessages | undefined = $state.raw(undefined)
  messages: readonly Message[] = $state.raw([])
  error: Refusal | undefined = $state.raw(undefined)
  #gone: AbortController | undefined
  #isReading = false

  /** Must be made while a component starts. `isLive` reads on by itself. */
  constructor(id: () => string | undefined, isLive: () => boolean) {
    $effect(() => {
      const wanted = id()
      const gone = new AbortController()
      this.#gone = gone
      untrack(() => {
        this.messages = []
        this.#isReading = false
        if (wanted !== undefined) void this.#read(wanted, gone.signal)
      })
      return () => gone.abort()
    })
    $effect(() => {
      const wanted = id()
      void live.opened
      if (wanted === undefined) return
      const more = () => void this.#read(wanted, this.#gone!.signal)
      untrack(more)
      if (!isLive()) return more // Once more when it has ended: the last words.
      const timer = setInterval(() => document.visibilityState === 'visible' && more(), everyMs)
      return () => {
        clearInterval(timer)
        more()
      }
    })
  }

  again = (id: string) => this.#read(id, this.#gone!.signal)

  async #read(id: string, signal: AbortSignal): Promise<void> {
    if (this.#isReading || signal.aborted) return
    this.#isReading = true
    try {
      while (this.messages.length < messagesMax) {
        const cursor = this.messages.at(-1)?.position ?? -1
        const path = toPath(`/api/threads/${encodeURIComponent(id)}`, { limit: pageSize, cursor })
        const page = await ask<ThreadWithMessages>(path, { signal })
        if (signal.aborted) return
        this.thread = page
        if (page.items.length > 0) this.messages = [...this.messages, ...page.items]
        this.error = undefined
        if (page.cursor === null || page.items.length === 0) return
      }
    } catch (error) {
      if (!signal.aborted) this.error = error as Refusal
    } finally {
      if (!signal.aborted) this.#isReading = false
    }
  }
}
