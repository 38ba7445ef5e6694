import type { DatabasePool } from 'slonik'
import type { CallUsage, SandboxRecord } from './api.ts'
import { fault } from './errors.ts'
import type { Books, Ledger } from './ledger.ts'
import type { SandboxState } from './sandboxes.ts'
import {
  findLastDenied,
  findLastEnded,
  type LastRow,
  type Sums,
  sumLoop,
  sumSandbox,
} from './sql/calls.ts'
import { wordsOf } from './unkept-words.ts'

/** What one sandbox's calls came to, complete up to now. */
export async function readRecord(
  sandbox: string,
  state: SandboxState | undefined,
  { db, ledger }: { db: DatabasePool; ledger: Ledger },
): Promise<SandboxRecord> {
  await flush(ledger)
  const sums = await db.one(sumSandbox(sandbox))
  const last = await db.maybeOne(findLastEnded(sandbox))
  const denied = await db.maybeOne(findLastDenied(sandbox))
  const lastActiveMs = Math.max(state?.lastActiveMs ?? 0, sums.last_at ?? 0)
  return {
    calls: sums.calls,
    inFlight: state?.inFlight ?? 0,
    lastActiveAt: lastActiveMs > 0 ? new Date(lastActiveMs).toISOString() : null,
    usage: toUsage(sums),
    costNanoUsd: sums.cost_nano_usd,
    last: last ? toLast(last, wordsOf(state)) : null,
    denial: denied ? { code: denied.code ?? '', message: denied.error ?? '' } : null,
  }
}

export async function readLoopUsage(
  loop: string,
  { db, ledger }: { db: DatabasePool; ledger: Ledger },
) {
  await flush(ledger)
  const sums = await db.one(sumLoop(loop))
  return { usage: toUsage(sums), costNanoUsd: sums.cost_nano_usd }
}

/** So that what is read next has all that was booked until now. */
export async function flush(books: Books): Promise<void> {
  await books.flush().catch((cause: unknown) => {
    throw fault('ledger/behind', { cause })
  })
}

export const toUsage = (sums: Sums): CallUsage => ({
  inputTokens: sums.input_tokens,
  cachedTokens: sums.cached_tokens,
  cacheWriteTokens: sums.cache_write_tokens,
  cacheWrite1hTokens: sums.cache_write_1h_tokens ?? 0,
  outputTokens: sums.output_tokens,
  reasoningTokens: sums.reasoning_tokens ?? 0,
  serverToolCalls: Object.fromEntries(
    Object.entries(sums.server_tool_calls ?? {}).filter(([, uses]) => uses > 0),
  ),
})

const toLast = (row: LastRow, unkept: string): NonNullable<SandboxRecord['last']> => ({
  status: row.status,
  state: row.state,
  stopReason: row.stop_reason,
  toolCalls: row.tool_calls,
  text: row.text || unkept,
  error: row.error,
  retryAfterS: row.retry_after_s,
})
