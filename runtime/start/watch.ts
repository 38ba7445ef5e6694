// Follows every loop of this instance through the front door, as any client could, and hands on what happens.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Loop, LoopEvent, LoopPage, LoopSummary, NewLoopInput } from '../spool/api.ts'

export type Seen = { loop: LoopSummary; event: LoopEvent }
export type Client = {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
  lines(path: string, signal: AbortSignal): AsyncIterable<string>
}

/** A client of the front door with the owner's token. */
export function createOwnerClient(url: string, stateFolder: string): Client {
  const token = readFileSync(join(stateFolder, 'owner.token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(new URL(path, url), { ...init, headers })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response
  }
  return {
    get: async <T>(path: string) => (await (await call(path)).json()) as T,
    post: async <T>(path: string, body: unknown) =>
      (await (await call(path, { method: 'POST', body: JSON.stringify(body) })).json()) as T,
    async *lines(path, signal) {
      const { body } = await call(path, { signal })
      for await (const line of createInterface({ input: Readable.fromWeb(body as never) })) {
        if (line !== '') yield line
      }
    },
  }
}

export const submit = (client: Client, loop: NewLoopInput) => client.post<Loop>('/api/loops', loop)

const lookMs = 1_000 // How late a loop that somebody else submitted shows up here.
const shownMax = 200

/** Calls `onSeen` for each event of each loop that is not over when first seen. */
export function startWatching(
  client: Client,
  onSeen: (seen: Seen) => void,
  log: Logger,
): AsyncDisposable {
  const stop = new AbortController()
  const followed = new Map<string, Promise<void>>()
  let isFirstLook = true
  const looking = startRepeating(
    async () => {
      const { items } = await client.get<LoopPage>(`/api/loops?limit=${shownMax}`)
      for (const loop of items) {
        if (followed.has(loop.id)) continue
        // What ended before this start was told by the start before.
        const isOld = isFirstLook && loop.state === 'ended'
        followed.set(loop.id, isOld ? Promise.resolve() : follow(loop, isFirstLook))
      }
      isFirstLook = false
    },
    lookMs,
    log,
  )
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await looking[Symbol.asyncDispose]()
      await Promise.all(followed.values())
    },
  }

  async function follow(loop: LoopSummary, fromNow: boolean): Promise<void> {
    let after = fromNow ? await lastSeq(loop) : 0
    while (!stop.signal.aborted) {
      try {
        const path = `/api/loops/${loop.id}/events?follow=1&after=${after}`
        for await (const line of client.lines(path, stop.signal)) {
          const event = JSON.parse(line) as LoopEvent
          after = event.seq
          onSeen({ loop, event })
          if (event.event === 'ended') return
        }
      } catch (error) {
        if (!stop.signal.aborted) log.debug({ error }, 'an event stream broke; following it again')
      }
      await sleep(lookMs, undefined, { signal: stop.signal }).catch(() => {}) // Stopped: the loop above ends.
    }
  }

  async function lastSeq(loop: LoopSummary): Promise<number> {
    let last = 0
    for await (const line of client.lines(`/api/loops/${loop.id}/events`, stop.signal)) {
      last = (JSON.parse(line) as LoopEvent).seq
    }
    return last
  }
}
