// The usage object of Anthropic Messages, and of those that speak its wire. Each report is merged field by field with what
// was known, for one that leaves a field out, or has null there, says nothing of it.
import type { Answer } from './answer.ts'
import { type Json, toCount, toRecord } from './json.ts'
import { toServiceTier } from './service-tier.ts'

export type Parts = {
  /** The prompt beside what is cached. */
  plain: number
  read: number
  write: number
  /** Writes by how long they last, where that was told. */
  short: number
  long: number
  output: number | undefined
  thought: number
  /** What the top of the report leaves out. */
  beside: Beside
}
type Beside = Pick<Parts, 'plain' | 'read' | 'write' | 'long'> & { output: number }

const nothing: Beside = { plain: 0, read: 0, write: 0, long: 0, output: 0 }

export const newParts = (): Parts => ({
  ...{ plain: 0, read: 0, write: 0, short: 0, long: 0, output: undefined, thought: 0 },
  beside: nothing,
})

/** The report says what the answer came to, so it closes the count. */
export function hasOutput(reported: unknown): boolean {
  const usage = toRecord(reported)
  return (
    toCount(usage.output_tokens) !== undefined || toCount(usage.completion_tokens) !== undefined
  )
}

export function readUsage(answer: Answer, parts: Parts, reported: unknown): void {
  if (typeof reported !== 'object' || reported === null) return
  const usage = toRecord(reported)
  if (toCount(usage.prompt_tokens) !== undefined) readOpenAi(parts, usage)
  else readOwn(parts, usage)
  parts.output = toCount(usage.output_tokens) ?? toCount(usage.completion_tokens) ?? parts.output
  const details = toRecord(usage.output_tokens_details)
  parts.thought = toCount(details.thinking_tokens) ?? parts.thought
  if (Array.isArray(usage.iterations)) parts.beside = sumBeside(answer, usage.iterations)
  readTools(answer, toRecord(usage.server_tool_use))
  const speed = usage.speed
  const place = usage.inference_geo === 'us' ? 'geo-us' : undefined
  answer.serviceTier = toServiceTier(usage.service_tier, speed, place) ?? answer.serviceTier
  fold(answer, parts)
}

function readOwn(parts: Parts, usage: Json): void {
  const split = toRecord(usage.cache_creation)
  const short = toCount(split.ephemeral_5m_input_tokens)
  const long = toCount(split.ephemeral_1h_input_tokens)
  parts.short = short ?? parts.short
  parts.long = long ?? parts.long
  const isTold = short !== undefined || long !== undefined
  const sum = isTold ? parts.short + parts.long : undefined
  // The total wins where both are given: the split of a start event is not final.
  parts.write = toCount(usage.cache_creation_input_tokens) ?? sum ?? parts.write
  parts.plain = toCount(usage.input_tokens) ?? parts.plain
  parts.read = toCount(usage.cache_read_input_tokens) ?? parts.read
}

/** Some compatible servers close this wire with the other vendor's names, whose prompt holds what is cached. */
function readOpenAi(parts: Parts, usage: Json): void {
  const prompt = toCount(usage.prompt_tokens) ?? 0
  const cached = toCount(toRecord(usage.prompt_tokens_details).cached_tokens) ?? 0
  parts.read = Math.min(cached, prompt)
  parts.plain = prompt - parts.read
  parts.write = 0
}

const iterationsMax = 1_000

/**
 * A compaction inside a call, and an advisor that was asked, are charged and stand in the iterations alone. The advisor is
 * another model, so what it costs is not known here: it counts as a tool, which has no price.
 */
function sumBeside(answer: Answer, iterations: readonly unknown[]): Beside {
  let advised = 0
  const sum = { ...nothing }
  for (const one of iterations.slice(0, iterationsMax)) {
    const entry = toRecord(one)
    if (entry.type === 'advisor_message') advised += 1
    else if (entry.type !== 'compaction') continue
    const split = toRecord(entry.cache_creation)
    sum.plain += toCount(entry.input_tokens) ?? 0
    sum.read += toCount(entry.cache_read_input_tokens) ?? 0
    sum.write += toCount(entry.cache_creation_input_tokens) ?? 0
    sum.long += toCount(split.ephemeral_1h_input_tokens) ?? 0
    sum.output += toCount(entry.output_tokens) ?? 0
  }
  if (advised > 0) answer.reportServerTool('advisor', advised)
  return sum
}

function readTools(answer: Answer, used: Json): void {
  answer.reportServerTool('web_search', toCount(used.web_search_requests))
  answer.reportServerTool('web_fetch', toCount(used.web_fetch_requests))
  answer.reportServerTool('code_execution', toCount(used.code_execution_requests))
}

function fold(answer: Answer, { plain, read, write, short, long, beside, ...parts }: Parts): void {
  answer.input = plain + read + write + beside.plain + beside.read + beside.write
  answer.cached = read + beside.read
  answer.cacheWrite = write + beside.write
  // The split decides the price, and the total the amount: what the split leaves open goes as the split does.
  const told = short + long
  const share = told === 0 ? 0 : long / told
  answer.cacheWrite1h = (told === write ? long : Math.round(write * share)) + beside.long
  if (parts.output !== undefined) answer.output = parts.output + beside.output
  answer.reasoning = parts.thought
}
