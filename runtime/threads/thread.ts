import type { Message, Thread } from './api.ts'
import type { MessageRow } from './sql/messages.ts'
import type { ThreadRow } from './sql/threads.ts'

export const toThread = (row: ThreadRow): Thread => ({
  id: row.id,
  org: row.org,
  user: row.user,
  loop: row.loop,
  pass: row.pass,
  attempt: row.attempt,
  model: row.model,
  isRehearsal: row.is_rehearsal,
  title: row.title,
  messages: row.messages,
  createdAt: new Date(row.created_at).toISOString(),
  updatedAt: new Date(row.updated_at).toISOString(),
})

export const toMessage = ({ tool_id, tool_name, at, ...row }: MessageRow): Message => ({
  ...row,
  tool: tool_id === null ? null : { id: tool_id, name: tool_name ?? '' },
  at: new Date(at).toISOString(),
})
