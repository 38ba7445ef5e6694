// What the wire carries. Others import these as types, and never the role itself.
import { z } from 'zod'

/** One model call, as the proxy saw it. The same id twice changes nothing. */
export const NewTurn = z.strictObject({
  call: z.string().min(1),
  org: z.string().min(1),
  user: z.string().min(1),
  loop: z.string().nullable(),
  pass: z.int().nullable(),
  attempt: z.int().nullable(),
  /** Calls of one sandbox are one thread; without a sandbox, calls of one session of one key. */
  session: z.string().min(1),
  wire: z.enum(['messages', 'chat', 'responses', 'gemini']),
  model: z.string(),
  isRehearsal: z.boolean(),
  at: z.iso.datetime(),
  /** The request's body as the client sent it. */
  request: z.string(),
  answer: z.strictObject({
    text: z.string(),
    toolCalls: z.array(z.strictObject({ id: z.string(), name: z.string(), input: z.string() })),
  }),
})
export type NewTurn = z.infer<typeof NewTurn>

/**
 * What the proxy hands in at once, in the order of the calls. On the wire, as `application/x-treadle-turns`, each is a line: the turn
 * without its request as JSON, a tab, and the request, in which a blank stands for each line break. As a string in JSON it would
 * be escaped there and read twice here, which costs more than all else.
 */
export const turnsMax = 256
export const NewTurns = z.strictObject({ turns: z.array(NewTurn).min(1).max(turnsMax) })
export type NewTurns = z.infer<typeof NewTurns>
/** In the same order. */
export type StoredTurns = { turns: StoredTurn[] }

/** What became of a turn: `added` counts messages that were not stored before. */
export type StoredTurn = { thread: string | null; added: number; isRepeat: boolean }

export type Thread = {
  id: string
  org: string
  user: string
  loop: string | null
  pass: number | null
  attempt: number | null
  model: string
  isRehearsal: boolean
  title: string
  messages: number
  createdAt: string
  updatedAt: string
}
export type Message = {
  position: number
  role: 'system' | 'user' | 'assistant' | 'tool'
  text: string
  /** Set on an assistant's call of a tool, and on that tool's answer. */
  tool: { id: string; name: string } | null
  at: string
}
/** Messages in order of position; `cursor` is the last one's position, null where nothing follows. */
export type ThreadWithMessages = Thread & { items: Message[]; cursor: string | null }
/** `excerpt` marks the found words with U+0002 before and U+0003 after, so that any output can show them safely. */
export type SearchHit = {
  thread: Thread
  position: number
  role: Message['role']
  excerpt: string
  rank: number
}
