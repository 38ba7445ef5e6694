import type { Sandbox } from './api.ts'
import type { SandboxRow } from './sql/sandboxes.ts'

export const toSandbox = (row: SandboxRow): Sandbox => ({
  id: row.id,
  org: row.org,
  user: row.user_id,
  purpose: row.purpose,
  loop: row.loop,
  pass: row.pass,
  attempt: row.attempt,
  state: row.state,
  level: row.level,
  wasWarm: row.was_warm,
  createdAt: new Date(row.created_at).toISOString(),
  endedAt: row.ended_at === null ? null : new Date(row.ended_at).toISOString(),
  endReason: row.end_reason,
})
