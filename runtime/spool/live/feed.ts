// What happens in one organisation, looked up once for all who listen, and told to each of them.
//
// | state | enters when                                             | what who listens is told              |
// | ----- | ------------------------------------------------------- | ------------------------------------- |
// | new   | the first one comes                                     | nothing until the first look          |
// | up    | a look succeeds                                         | `hello`, news; `health` after a down  |
// | down  | a look fails for the database, or has no answer in time | `hello` at once; `health`             |
import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { isDatabaseAway } from '../runner/retry.ts'
import { heartbeat, type Listener, type Message, toMessage } from './listener.ts'
import { createNews, type News, Overrun } from './news.ts'

const lookMs = 500 // For what another process wrote; what this one writes rings.
const restMs = 100 // Between two looks, however often it rings.
const answerMsMax = 1_300 // With the wait before the look: a database that hangs is told within 2 s.
const heartbeatMs = 5_000

export type Feed = {
  /** Ends it; the look that runs comes to its own end. */
  end(): Promise<void>
  join(listener: Listener): void
  leave(listener: Listener): void
  size(): number
  ring(): void
}

type Options = { db: DatabasePool; log: Logger; org: string; version: string; now: () => Date }

export function createFeed({ db, log, org, version, now }: Options): Feed {
  const listeners = new Set<Listener>()
  const newcomers = new Set<Listener>()
  const bell = new EventEmitter()
  const stop = new AbortController()
  let news: News = createNews(db, org)
  let state: 'new' | 'up' | 'down' = 'new'
  const beat = setInterval(() => tell(heartbeat), heartbeatMs)
  const running = run()
  return {
    join(listener) {
      newcomers.add(listener)
      if (state !== 'new') greet()
    },
    leave(listener) {
      listeners.delete(listener)
      newcomers.delete(listener)
    },
    size: () => listeners.size + newcomers.size,
    ring: () => void bell.emit('ring'),
    end() {
      stop.abort()
      clearInterval(beat)
      for (const listener of [...listeners, ...newcomers]) listener.end()
      return running
    },
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      // Before the look: what rings in between is not missed. Its turn's end is no failure.
      const turn = AbortSignal.any([stop.signal, AbortSignal.timeout(lookMs)])
      const rung = once(bell, 'ring', { signal: turn }).catch(() => {})
      await look()
      if (!news.isBehind()) await rung
      await sleep(restMs, undefined, { signal: stop.signal }).catch(() => {}) // Then the loop ends.
    }
  }

  /** One at a time, and never given up: a look that hangs ends with its statement. */
  async function look(): Promise<void> {
    const arm = () => setTimeout(() => become('down'), answerMsMax)
    let late = arm()
    try {
      await news.look(async (message) => {
        clearTimeout(late) // What follows is the readers' time, not the database's.
        become('up')
        tell(message)
        await Promise.all([...listeners].map((listener) => listener.ready()))
        late = arm()
      })
      become('up')
    } catch (error) {
      fail(error)
    } finally {
      clearTimeout(late)
    }
  }

  function fail(error: unknown): void {
    if (stop.signal.aborted) return
    if (error instanceof Overrun) {
      log.warn({ org }, 'too much changed at once; who listens reads again')
      news = createNews(db, org)
      state = 'new'
      for (const listener of listeners) listener.end()
    } else if (isDatabaseAway(error)) become('down')
    else log.warn({ error, org }, 'a look for news failed; the next turn tries again')
  }

  function become(next: 'up' | 'down'): void {
    const before = state
    state = next
    const isNews = before !== next && !(before === 'new' && next === 'up')
    if (isNews) tell(toMessage('health', { database: next }))
    greet()
  }

  function greet(): void {
    for (const listener of newcomers) {
      listener.send(toMessage('hello', { at: now().toISOString(), version }))
      if (state === 'down') listener.send(toMessage('health', { database: 'down' }))
      listeners.add(listener)
    }
    newcomers.clear()
  }

  function tell(message: Message): void {
    for (const listener of listeners) listener.send(message)
  }
}
