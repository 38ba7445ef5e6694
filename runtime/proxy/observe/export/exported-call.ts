// A call as it leaves the house: figures and names, by a list of what may go. Nothing that anybody said, and no error's
// words, for an upstream may repeat a prompt in them.
import type { ExportedCall } from '../../api.ts'
import type { LedgerLine } from '../../ledger-line.ts'

/** None of a beginning, and none of a line that was torn when it was written. */
export function toExportedCalls(text: string): ExportedCall[] {
  const line = parse(text)
  if (!line || line.state === 'begun') return []
  return [
    {
      ...{ id: line.id, org: line.org, team: line.team ?? null, user: line.user, key: line.key },
      ...{ tags: line.tags ?? {}, endUser: line.end_user ?? null },
      ...{ loop: line.loop, pass: line.pass, attempt: line.attempt, sandbox: line.sandbox },
      ...{ provider: line.provider, model: line.model, wire: line.wire },
      isRehearsal: line.is_rehearsal,
      ...{ state: line.state, status: line.status, code: line.code },
      usage: {
        inputTokens: line.input_tokens,
        cachedTokens: line.cached_tokens,
        cacheWriteTokens: line.cache_write_tokens,
        cacheWrite1hTokens: line.cache_write_1h_tokens ?? 0,
        outputTokens: line.output_tokens,
        reasoningTokens: line.reasoning_tokens ?? 0,
        serverToolCalls: line.server_tool_calls ?? {},
      },
      serviceTier: line.service_tier ?? null,
      ...{ costNanoUsd: line.cost_nano_usd, isPriced: line.is_priced, toolCalls: line.tool_calls },
      ...{ beganAt: line.began_at, endedAt: line.ended_at },
      ...{ intakeMs: line.intake_ms, sentMs: line.sent_ms },
      ...{ firstByteMs: line.first_byte_ms, lastByteMs: line.last_byte_ms },
    },
  ]
}

function parse(text: string): LedgerLine | undefined {
  try {
    return JSON.parse(text) as LedgerLine
  } catch {
    return undefined // The ledger's start says so in the log.
  }
}
