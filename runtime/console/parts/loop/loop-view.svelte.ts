// One loop with its passes, as the server tells them: read once, then kept right by the live line.
import { untrack } from 'svelte'
import type { Loop, LoopEvent, LoopSummary, Pass } from '../../../spool/api.ts'
import { ask, askText, type Refusal, toPath } from '../../state/ask.ts'
import { live } from '../../state/live.svelte.ts'
import { EventOrder, parseEvents } from '../../words/event-order.ts'

const pageSize = 100
const passesMax = 1_000 // As many as a loop may have.
const quietMs = 1_000 // Between two looks at what the running pass has spent.
const slowMs = 300

export class LoopView {
  readonly id: string
  loop: Loop | undefined = $state.raw(undefined)
  passes: readonly Pass[] = $state.raw([])
  error: Refusal | undefined = $state.raw(undefined)
  /** The passes are all there: an empty list means none. */
  hasPasses = $state(false)
  isSlow = $state(false)
  /** What the running pass does, finer than its phase: `sandbox`, `commit`. */
  step: { pass: number; phase: string } | undefined = $state.raw(undefined)
  #gone = new AbortController()
  #order: EventOrder
  #look: ReturnType<typeof setTimeout> | undefined

  /** Must be made while a component starts. */
  constructor(id: string) {
    this.id = id
    this.#order = new EventOrder({
      apply: (event) => this.#apply(event),
      read: async (after) =>
        parseEvents(await askText(this.#path(`/events?after=${after}`), this.#gone.signal)),
    })
    $effect(() => {
      void live.opened
      untrack(() => void this.again())
    })
    $effect(() => live.onLoop((loop) => loop.id === id && this.#merge(loop)))
    $effect(() => live.onEvent((event) => event.loop === id && this.#order.take(event)))
    $effect(() => () => {
      this.#gone.abort()
      clearTimeout(this.#look)
    })
  }

  /** Reads all anew: at the start, and whenever the line was away. */
  again = async (): Promise<void> => {
    const slow = setTimeout(() => {
      this.isSlow = true
    }, slowMs)
    try {
      this.loop = await ask<Loop>(this.#path(''), { signal: this.#gone.signal })
      await this.#readPasses(this.#firstOpen())
      this.hasPasses = true
      this.error = undefined
      await this.#order.catchUp()
    } catch (error) {
      if (!this.#gone.signal.aborted) this.error = error as Refusal
    } finally {
      clearTimeout(slow)
      this.isSlow = false
    }
  }

  #path = (rest: string) => `/api/loops/${encodeURIComponent(this.id)}${rest}`

  /** Settled passes stay as they are: only what follows them is read again. */
  #firstOpen(): number {
    return (
      this.passes.findLast(({ phase, next }) => phase === 'settled' && next !== 'paused')?.pass ?? 0
    )
  }

  /** All pages, then shown at once: a selection that follows the newest pass does not run along. */
  async #readPasses(from: number): Promise<void> {
    const news: Pass[] = []
    let page: Pass[]
    do {
      const path = toPath(this.#path('/passes'), {
        after: news.at(-1)?.pass ?? from,
        limit: pageSize,
      })
      page = await ask<Pass[]>(path, { signal: this.#gone.signal })
      news.push(...page)
    } while (page.length === pageSize && news.length < passesMax)
    this.#put(news)
  }

  #put(news: readonly Pass[]): void {
    if (news.length === 0) return
    const byNumber = new Map(this.passes.map((pass) => [pass.pass, pass]))
    for (const pass of news) {
      const known = byNumber.get(pass.pass)
      // What was sent before it settled may come after.
      if (known?.phase === 'settled' && pass.phase !== 'settled' && pass.attempt <= known.attempt)
        continue
      byNumber.set(pass.pass, pass)
    }
    this.passes = [...byNumber.values()].sort((one, other) => one.pass - other.pass)
  }

  #merge(news: Partial<LoopSummary>): void {
    if (!this.loop) return
    this.loop = { ...this.loop, ...news }
    if (this.loop.pass !== null) this.#lookSoon()
  }

  #lookSoon(): void {
    this.#look ??= setTimeout(() => {
      this.#look = undefined
      this.#readPasses(this.#firstOpen()).catch(() => {}) // The next news, or the line's return, asks again.
    }, quietMs)
  }

  #apply(event: LoopEvent): void {
    if (event.event === 'pass') this.#put([event.pass])
    else if (event.event === 'phase') {
      this.step = { pass: event.pass, phase: event.phase }
      this.#lookSoon()
    } else if (event.event === 'ended') {
      const { ending, exitCode, reason, branch, bundle, at } = event
      const isTold = this.loop?.state === 'ended'
      if (!isTold)
        this.#merge({
          state: 'ended',
          ending,
          exitCode,
          reason,
          branch,
          bundle,
          endedAt: at,
          pass: null,
        })
    } else if (event.event === 'started' && this.loop)
      this.loop = { ...this.loop, base: event.base }
  }
}
