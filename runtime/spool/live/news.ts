// What is new in an organisation since the last look. A write is found by the time at which it was made, and may be
// committed later than that; so every look reaches back over the one before, and what was told already is known.
import type { DatabasePool } from 'slonik'
import { toEvent } from '../events.ts'
import { toSummary } from '../loop.ts'
import {
  findChanged,
  type Mark,
  readClock,
  readMarks,
  readNews,
  readSummaries,
} from '../sql/live.ts'
import { type Message, toMessage } from './listener.ts'

const overlapMs = 5_000 // No transaction here stays open for longer between its write and its commit.
const marksMax = 50_000 // Of one look; some 5 MB.
const summariesMax = 200
const eventsMax = 100 // A pass may weigh 500 KiB with its gates' output.
const summaryMsMin = 500 // Between two tellings of one loop.

type Known = { change: number; seq: number; toldAt: number; isEnded: boolean }
const unknown: Known = { change: -1, seq: 0, toldAt: Number.NEGATIVE_INFINITY, isEnded: false }

/** More changed at once than can be told. */
export class Overrun extends Error {
  override readonly name = 'Overrun'
}

type Tell = (message: Message) => Promise<void>

export type News = {
  /** The first look finds nothing: it learns where everything stands. What is told is told, also where it fails later. */
  look(tell: Tell): Promise<void>
  /** There is more to tell, so the next look need not wait. */
  isBehind(): boolean
}

export function createNews(db: DatabasePool, org: string): News {
  const known = new Map<string, Known>()
  /** Found, and not told yet. */
  const pending = new Map<string, Mark>()
  let since: number | undefined
  let isBehind = false
  return { look, isBehind: () => isBehind }

  async function look(tell: Tell): Promise<void> {
    const { at } = await db.one(readClock())
    if (since === undefined) await learn(at)
    else await find(since)
    since = at
    const areEventsTold = await tellEvents(tell)
    const areLoopsTold = await tellLoops(tell)
    isBehind = !areEventsTold || !areLoopsTold
  }

  async function learn(at: number): Promise<void> {
    for (const mark of await db.any(readMarks(org, at - overlapMs)))
      note(mark.id, { change: mark.change, seq: mark.event_seq, isEnded: mark.is_ended })
  }

  async function find(from: number): Promise<void> {
    const marks = await db.any(findChanged(org, from - overlapMs, marksMax + 1))
    if (marks.length > marksMax) throw new Overrun()
    for (const mark of marks) {
      const { change, seq } = known.get(mark.id) ?? unknown
      if (mark.change > change || mark.event_seq > seq) pending.set(mark.id, mark)
    }
    forget(new Set(marks.map(({ id }) => id)))
  }

  /** What has ended changes no more, once no look reaches back to its last change. */
  function forget(found: ReadonlySet<string>): void {
    for (const [id, { isEnded }] of known) {
      if (isEnded && !found.has(id) && !pending.has(id)) known.delete(id)
    }
  }

  function note(id: string, change: Partial<Known>): void {
    known.set(id, { ...(known.get(id) ?? unknown), ...change })
  }

  /** False where there are more. */
  async function tellEvents(tell: Tell): Promise<boolean> {
    const asked = [...pending.values()]
      .map((mark) => ({ ...mark, after: known.get(mark.id)?.seq ?? 0 }))
      .filter(({ event_seq, after }) => event_seq > after)
      .slice(0, eventsMax)
    const rows = asked.length === 0 ? [] : await db.any(readNews(asked, eventsMax))
    // Where all were read, there is nothing up to the mark but what was read: old events may be gone.
    if (rows.length < eventsMax) for (const { id, event_seq } of asked) note(id, { seq: event_seq })
    for (const row of rows) {
      const { loop: id, name, ...about } = row
      await tell(toMessage('event', toEvent(row, { id, name }), { id, ...about }))
      note(id, { seq: row.seq })
    }
    return rows.length < eventsMax && asked.length < eventsMax
  }

  /** False where there are more to tell now. */
  async function tellLoops(tell: Tell): Promise<boolean> {
    const now = performance.now()
    const due = [...pending.values()].filter(({ id, change }) => {
      const { change: told, toldAt } = known.get(id) ?? unknown
      return change > told && now - toldAt >= summaryMsMin
    })
    const ids = due.slice(0, summariesMax).map(({ id }) => id)
    const rows = ids.length === 0 ? [] : await db.any(readSummaries(ids))
    for (const row of rows) {
      await tell(toMessage('loop', toSummary(row), row))
      note(row.id, { change: row.change, toldAt: now, isEnded: row.state === 'ended' })
    }
    settle()
    return due.length <= summariesMax
  }

  function settle(): void {
    for (const [id, { change, event_seq }] of pending) {
      const told = known.get(id) ?? unknown
      if (told.change >= change && told.seq >= event_seq) pending.delete(id)
    }
  }
}
