// Somebody pauses a loop, or lets it go on. Each is one transaction with its event; doing it again changes nothing.
import type { DatabasePool } from 'slonik'
import { fault } from './errors.ts'
import { toHoldReason } from './loop.ts'
import { appendEvent, type EventBody } from './sql/events.ts'
import { findLoop, holdLoop, type LoopRow, resumeLoop } from './sql/loops.ts'

type Which = { id: string; org: string; user: string }

/** No next pass starts; the pass that runs goes to its end. */
export const pauseByHand = (db: DatabasePool, which: Which): Promise<LoopRow> =>
  change(db, which, holdLoop(which.org, which.id, which.user), {
    event: 'paused',
    reason: toHoldReason(which.user),
    until: null,
  })

export const resumeByHand = (db: DatabasePool, which: Which): Promise<LoopRow> =>
  change(db, which, resumeLoop(which.org, which.id), {
    event: 'resumed',
    reason: `Resumed by ${which.user}.`,
  })

const change = (
  db: DatabasePool,
  { id, org }: Which,
  statement: ReturnType<typeof resumeLoop>,
  event: EventBody,
): Promise<LoopRow> =>
  db.transaction(async (tx) => {
    if (await tx.maybeOne(statement)) await tx.query(appendEvent(id, event))
    const row = await tx.one(findLoop(org, id))
    if (row.state === 'ended') throw fault('loop/ended')
    return row
  })
