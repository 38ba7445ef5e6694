// Places turns: what of each is new goes to the end of the line it continues, or to a new thread.
//
// | what the turn's line shares with what is stored | then                                        |
// | ----------------------------------------------- | ------------------------------------------- |
// | all of it (a repeat, or a turn that comes late) | nothing is added                            |
// | a thread up to its end                          | the rest is added to that thread            |
// | a thread up to the middle (another answer)      | a new thread with the rest, on that base    |
// | nothing (a title, a sub-agent, a compaction)    | a new thread with all of it                 |
//
// Turns come many at once. What is stored of all of them is read first, then they are placed one after the other in
// memory (`place.ts`), then all that is new is written: so many turns take as many statements as one.
import type { DatabasePool, DatabaseTransactionConnection } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import type { NewTurn, StoredTurn } from './api.ts'
import { type LineReader, toSessionKey } from './line.ts'
import { type Lined, type NewMessage, type Plan, placeTurns } from './place.ts'
import { findShared, insertMessages } from './sql/messages.ts'
import {
  countThreads,
  findTurns,
  growThreads,
  insertThreads,
  insertTurns,
  lockSessions,
} from './sql/threads.ts'
import { toStart, toStorable } from './text.ts'

type Transaction = DatabaseTransactionConnection

// Of one statement: the database cuts a statement off after 30 s, and a first call may bring 32 MiB.
const batchMax = 500
const batchCharsMax = 2 * 1024 * 1024
const nameBytesMax = 200

export type StoreDeps = { db: DatabasePool; log: Logger; toLine: LineReader }

/** All of them or none, each in the order given. Answers what became of each. */
export async function storeTurns(
  { db, log, toLine }: StoreDeps,
  given: readonly NewTurn[],
): Promise<StoredTurn[]> {
  const lined = given.map(toStorableTurn).map((turn): Lined => {
    return { turn, line: toLine(turn), session: toSessionKey(turn) }
  })
  return db.transaction(async (tx) => {
    const sessions = [...new Set(lined.map(({ session }) => session))].sort()
    await tx.query(lockSessions(sessions))
    const { stored, plan } = placeTurns(lined, await readStored(tx, lined, sessions))
    await write(tx, plan)
    for (const [at, { thread, isRepeat }] of stored.entries()) {
      if (thread !== null || isRepeat) continue
      const { turn, line } = lined[at]!
      log.warn({ call: turn.call, messages: line.length }, 'a turn has no thread')
    }
    return stored
  })
}

async function readStored(tx: Transaction, lined: readonly Lined[], sessions: string[]) {
  const turns = await tx.any(findTurns(lined.map(({ turn }) => turn.call)))
  const known = new Map(turns.map(({ call, thread }) => [call, thread]))
  const fresh = lined.map(({ turn, line }) => (known.has(turn.call) ? [] : line))
  const shared = await tx.any(findShared(fresh.map((line) => line.map(({ chain }) => chain))))
  const counts = await tx.any(countThreads(sessions))
  return {
    known,
    shared: new Map(shared.map(({ line, ...spot }) => [line, spot])),
    counts: new Map(counts.map(({ session, count }) => [session, count])),
  }
}

async function write(tx: Transaction, { threads, grown, messages, turns }: Plan): Promise<void> {
  if (threads.length > 0) await tx.query(insertThreads(threads))
  if (grown.length > 0) await tx.query(growThreads(grown))
  for (const batch of toBatches(messages)) await tx.query(insertMessages(batch))
  if (turns.length > 0) await tx.query(insertTurns(turns))
}

function toBatches(messages: readonly NewMessage[]): NewMessage[][] {
  const batches: NewMessage[][] = []
  let chars = 0
  for (const message of messages) {
    const last = batches.at(-1)
    chars += message.entry.text.length
    const isFull = !last || last.length === batchMax || chars > batchCharsMax
    if (isFull) {
      batches.push([message])
      chars = message.entry.text.length
    } else last.push(message)
  }
  return batches
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
