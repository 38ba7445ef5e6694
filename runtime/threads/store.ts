// Places a turn: what of it is new goes to the end of the line it continues, or to a new thread.
//
// | what the turn's line shares with what is stored | then                                        |
// | ----------------------------------------------- | ------------------------------------------- |
// | all of it (a repeat, or a turn that comes late) | nothing is added                            |
// | a thread up to its end                          | the rest is added to that thread            |
// | a thread up to the middle (another answer)      | a new thread with the rest, on that base    |
// | nothing (a title, a sub-agent, a compaction)    | a new thread with all of it                 |
import { randomUUID } from 'node:crypto'
import type { DatabasePool, DatabaseTransactionConnection } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type { NewTurn, StoredTurn } from './api.ts'
import { type Entry, toLine, toSessionKey, toTitle } from './line.ts'
import { findShared, insertMessages } from './sql/messages.ts'
import {
  countThreads,
  findTurn,
  growThread,
  insertThread,
  insertTurn,
  lockSession,
} from './sql/threads.ts'
import { toStart, toStorable } from './text.ts'

type Transaction = DatabaseTransactionConnection
type Placed = { thread: string | null; added: number }

const threadsPerSessionMax = 200 // An agent that changes its first message with each call stores no more.
// Of one statement: the database cuts a statement off after 30 s, and a first call may bring 32 MiB.
const batchMax = 500
const batchCharsMax = 2 * 1024 * 1024
const nameBytesMax = 200

export const storeTurn = (db: DatabasePool, given: NewTurn, log: Logger): Promise<StoredTurn> => {
  const turn = toStorableTurn(given)
  const line = toLine(turn)
  const session = toSessionKey(turn)
  return db.transaction(async (tx) => {
    await tx.query(lockSession(session))
    const known = await tx.maybeOne(findTurn(turn.call))
    if (known) return { thread: known.thread, added: 0, isRepeat: true }
    const placed = await placeLine(tx, { turn, line, session })
    if (!placed.thread) log.warn({ call: turn.call, messages: line.length }, 'a turn has no thread')
    await tx.query(insertTurn(turn.call, placed.thread, new Date(turn.at)))
    return { ...placed, isRepeat: false }
  })
}

type Line = { turn: NewTurn; line: Entry[]; session: string }

async function placeLine(tx: Transaction, { turn, line, session }: Line): Promise<Placed> {
  const shared = await tx.maybeOne(findShared(line.map(({ chain }) => chain)))
  const sharedCount = shared ? shared.position + 1 : 0
  const tail = line.slice(sharedCount)
  const isContinued = shared && (tail.length === 0 || shared.messages === sharedCount)
  const base = shared && !isContinued ? shared.thread : null
  const thread = isContinued
    ? shared.thread
    : await addThread(tx, { turn, line, session, base, sharedCount })
  if (thread === null) return { thread, added: 0 }
  const at = new Date(turn.at)
  await tx.query(growThread(thread, line.length, at))
  for (const batch of toBatches(tail)) await tx.query(insertMessages(thread, batch, at))
  return { thread, added: tail.length }
}

function toBatches(entries: readonly Entry[]): Entry[][] {
  const batches: Entry[][] = []
  let chars = 0
  for (const entry of entries) {
    const last = batches.at(-1)
    chars += entry.text.length
    const isFull = !last || last.length === batchMax || chars > batchCharsMax
    if (isFull) {
      batches.push([entry])
      chars = entry.text.length
    } else last.push(entry)
  }
  return batches
}

type Branch = Line & { base: string | null; sharedCount: number }

async function addThread(tx: Transaction, { turn, line, session, base, sharedCount }: Branch) {
  const { count } = await tx.one(countThreads(session))
  if (line.length === 0 || count >= threadsPerSessionMax) return null
  const id = randomUUID()
  await tx.query(
    insertThread({
      ...turn,
      id,
      session,
      base,
      base_messages: sharedCount,
      is_rehearsal: turn.isRehearsal,
      title: toTitle(line),
      messages: line.length,
      at: new Date(turn.at),
    }),
  )
  return id
}

/** Names come from agents' headers and bodies too: any text may be in them. */
function toStorableTurn(turn: NewTurn): NewTurn {
  const toName = (text: string) => toStart(toStorable(text), nameBytesMax)
  return {
    ...turn,
    call: toName(turn.call),
    org: toName(turn.org),
    user: toName(turn.user),
    loop: turn.loop === null ? null : toName(turn.loop),
    model: toName(turn.model),
  }
}
