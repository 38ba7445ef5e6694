import type { NewTurn } from '../threads/api.ts'
import type { Caller } from './caller.ts'
import type { RawHeaders } from './exchange.ts'
import { findHeader } from './headers.ts'
import { type Facts, toStored } from './ledger-line.ts'
import type { Answer } from './wires/answer.ts'

/** A turn without the request's body, which is kept apart as it came. */
export type TurnHead = Omit<NewTurn, 'request'>

type Parts = {
  facts: Facts
  caller: Caller
  session: string | null
  answer: Answer
}

/** What threads is told of a call. Calls of one sandbox are one thread, else calls of one session of one key. */
export function toTurn({ facts, caller, session, answer }: Parts): TurnHead {
  const { id, org, user, loop, pass, attempt, wire, model, is_rehearsal, began_at } = facts
  return {
    call: id,
    org,
    user,
    loop,
    pass,
    attempt,
    session: caller.sandbox?.sub ?? `${caller.key}:${session ?? 'default'}`,
    wire,
    model,
    isRehearsal: is_rehearsal,
    at: began_at,
    answer: {
      text: toStored(answer.text),
      toolCalls: answer.toolCalls.map(({ id, name, input }) => ({
        id: toStored(id),
        name: toStored(name),
        input: toStored(input),
      })),
    },
  }
}

// What agents name their session with, in the order of preference.
const sessionHeaders = ['x-claude-code-session-id', 'session-id', 'x-session-id']
const sessionCharsMax = 200

export function readSession(headers: RawHeaders): string | null {
  for (const name of sessionHeaders) {
    const value = findHeader(headers, name)
    if (value) return value.slice(0, sessionCharsMax)
  }
  return null
}
