// A loop's events as lines of JSON, from a place in their order on; live until the loop has ended.
import { type EventEmitter, once } from 'node:events'
import type { Response } from 'express'
import type { DatabasePool } from 'slonik'
import type { LoopEvent } from './api.ts'
import { type EventRow, readEvents } from './sql/events.ts'

const batchMax = 200 // A pass may weigh 500 KiB with its gates' output.
const heartbeatMs = 10_000 // Whatever sits in between keeps the connection open.
const lookMs = 500 // For events that another process wrote; those of this one ring.

export type Following = {
  db: DatabasePool
  written: EventEmitter
  stopping: AbortSignal
  loop: { id: string; name: string }
  after: number
  mode: 'once' | 'follow'
}

export async function sendEvents(response: Response, following: Following): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  if (response.destroyed) gone.abort() // It left while it was asked who it is.
  response.setHeader('content-type', 'application/x-ndjson')
  response.setHeader('cache-control', 'no-store')
  response.flushHeaders()
  await send(response, following, AbortSignal.any([gone.signal, following.stopping]))
  response.end()
}

async function send(response: Response, following: Following, gone: AbortSignal): Promise<void> {
  const { db, written, loop, mode } = following
  let { after } = following
  let saidAt = performance.now()
  while (!gone.aborted) {
    const rung = ring(written, loop.id, gone) // Before the look: an event in between is not missed.
    const rows = await db.any(readEvents(loop.id, after, batchMax))
    for (const row of rows) await say(response, `${JSON.stringify(toEvent(row, loop))}\n`, gone)
    after = rows.at(-1)?.seq ?? after
    if (rows.length > 0) saidAt = performance.now()
    if (rows.some(({ body }) => body.event === 'ended')) return
    if (rows.length === batchMax) continue
    if (mode === 'once') return
    await rung
    if (performance.now() - saidAt < heartbeatMs) continue
    await say(response, '\n', gone)
    saidAt = performance.now()
  }
}

const ring = (written: EventEmitter, loop: string, gone: AbortSignal) =>
  once(written, loop, { signal: AbortSignal.any([gone, AbortSignal.timeout(lookMs)]) }).catch(
    () => {},
  ) // Time to look, or nobody listens.

async function say(response: Response, text: string, gone: AbortSignal): Promise<void> {
  if (response.write(text) || gone.aborted) return
  await once(response, 'drain', { signal: gone }).catch(() => {}) // A reader that left ends the loop above.
}

export const toEvent = ({ seq, at, body }: EventRow, { id, name }: Following['loop']) =>
  ({ seq, at: new Date(at).toISOString(), loop: id, name, ...body }) as LoopEvent
