// The usage object of chat completions and embeddings, with what compatible servers made of it.
import type { Answer } from './answer.ts'
import { type Json, toCount, toRecord } from './json.ts'
import { toServiceTier } from './service-tier.ts'

/** True where it says what the answer came to. */
export function readChatUsage(answer: Answer, reported: unknown): boolean {
  const usage = toRecord(reported)
  const input = toCount(usage.prompt_tokens)
  const said = toCount(usage.completion_tokens)
  readTools(answer, usage)
  if (input === undefined && said === undefined) return false
  const prompt = toRecord(usage.prompt_tokens_details)
  const completion = toRecord(usage.completion_tokens_details)
  answer.input = input ?? answer.input
  // DeepSeek and Moonshot name it at the top.
  answer.cached =
    toCount(prompt.cached_tokens) ??
    toCount(usage.prompt_cache_hit_tokens) ??
    toCount(usage.cached_tokens) ??
    answer.cached
  answer.cacheWrite = toCount(prompt.cache_write_tokens) ?? answer.cacheWrite
  answer.reasoning = toCount(completion.reasoning_tokens) ?? answer.reasoning
  if (said === undefined) return false
  answer.output = said + unsaid(said, answer.input ?? 0, usage)
  return true
}

/** xAI's and Google's counts leave thoughts out, and their totals hold them. */
function unsaid(said: number, input: number, usage: Json): number {
  const rest = (toCount(usage.total_tokens) ?? 0) - input - said
  const thought = toCount(toRecord(usage.completion_tokens_details).reasoning_tokens)
  return rest > 0 && (thought === undefined || thought === rest) ? rest : 0
}

export function readChatTier(answer: Answer, tier: unknown): void {
  answer.serviceTier = toServiceTier(tier) ?? answer.serviceTier
}

function readTools(answer: Answer, usage: Json): void {
  const used = toRecord(usage.server_tool_use)
  answer.reportServerTool('web_search', toCount(used.web_search_requests))
}
