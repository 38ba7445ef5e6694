// Decides, in memory, where turns go: a function from what is stored to what is to be written.
import { randomUUID } from 'node:crypto'
import type { NewTurn, StoredTurn } from './api.ts'
import { type Entry, toTitle } from './line.ts'

export type Lined = { turn: NewTurn; line: Entry[]; session: string }
/** Where a message of a line stands, and how long its thread is. */
type Spot = { thread: string; position: number; messages: number }

export type Stored = {
  /** Calls that are stored, with their thread. */
  known: ReadonlyMap<string, string | null>
  /** By a line's number: the last message that it shares with what is stored. */
  shared: ReadonlyMap<number, Spot>
  /** Threads by session. */
  counts: ReadonlyMap<string, number>
}

export type NewThread = {
  id: string
  session: string
  base: string | null
  baseMessages: number
  title: string
  messages: number
  turn: NewTurn
}
export type NewMessage = { thread: string; entry: Entry; at: string }
export type Plan = {
  threads: NewThread[]
  grown: { thread: string; messages: number; at: string }[]
  messages: NewMessage[]
  turns: { call: string; thread: string | null; at: string }[]
}

const threadsPerSessionMax = 200 // An agent that changes its first message with each call stores no more.

export function placeTurns(
  lined: readonly Lined[],
  { known, shared, counts }: Stored,
): { stored: StoredTurn[]; plan: Plan } {
  const plan: Plan = { threads: [], grown: [], messages: [], turns: [] }
  const calls = new Map(known)
  const added = new Map<string, { thread: string; position: number }>() // By chain, of turns before.
  const lengths = new Map<string, number>()
  const threadsOf = new Map(counts)
  for (const { thread, messages } of shared.values()) lengths.set(thread, messages)

  const findSpot = (line: readonly Entry[], at: number) => {
    const stored = shared.get(at)
    const down = stored ? stored.position + 1 : 0
    for (let position = line.length - 1; position >= down; position -= 1) {
      const spot = added.get(line[position]!.chain)
      if (spot) return spot
    }
    return stored
  }

  const addThread = ({ turn, line, session }: Lined, base: string | null, baseMessages: number) => {
    const count = threadsOf.get(session) ?? 0
    if (line.length === 0 || count >= threadsPerSessionMax) return null
    threadsOf.set(session, count + 1)
    const id = randomUUID()
    const [title, messages] = [toTitle(line), line.length]
    plan.threads.push({ id, session, base, baseMessages, title, messages, turn })
    return id
  }

  const placeOne = (one: Lined, number: number): { thread: string | null; added: number } => {
    const { turn, line } = one
    const spot = findSpot(line, number)
    const sharedCount = spot ? spot.position + 1 : 0
    const tail = line.slice(sharedCount)
    const isContinued = spot && (tail.length === 0 || lengths.get(spot.thread) === sharedCount)
    const base = spot && !isContinued ? spot.thread : null
    const thread = isContinued ? spot.thread : addThread(one, base, sharedCount)
    if (thread === null) return { thread, added: 0 }
    lengths.set(thread, Math.max(lengths.get(thread) ?? 0, line.length))
    plan.grown.push({ thread, messages: line.length, at: turn.at })
    for (const entry of tail) {
      added.set(entry.chain, { thread, position: entry.position })
      plan.messages.push({ thread, entry, at: turn.at })
    }
    return { thread, added: tail.length }
  }

  const stored = lined.map((one, number): StoredTurn => {
    const { call, at } = one.turn
    const repeated = calls.get(call)
    if (repeated !== undefined) return { thread: repeated, added: 0, isRepeat: true }
    const placed = placeOne(one, number)
    calls.set(call, placed.thread)
    plan.turns.push({ call, thread: placed.thread, at })
    return { ...placed, isRepeat: false }
  })
  return { stored, plan }
}
