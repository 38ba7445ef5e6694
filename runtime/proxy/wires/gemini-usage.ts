// What Gemini counts: of answers `usageMetadata`, of embeddings that or the tokens that stand beside each of them.
import type { Answer } from './answer.ts'
import { type Json, toCount, toList, toRecord } from './json.ts'
import { toServiceTier } from './service-tier.ts'

type Parts = { prompt: number; tools: number; said: number | undefined; thought: number }

/** True where something was counted. What a report leaves out stays as it was. */
export function readGeminiUsage(answer: Answer, usage: Json): boolean {
  const prompt = toCount(usage.promptTokenCount)
  const said = toCount(usage.candidatesTokenCount)
  if (prompt === undefined && said === undefined) return false
  const parts = partsOf(answer)
  parts.prompt = prompt ?? parts.prompt
  parts.tools = toCount(usage.toolUsePromptTokenCount) ?? parts.tools
  parts.said = said ?? parts.said
  parts.thought = toCount(usage.thoughtsTokenCount) ?? parts.thought
  answer.input = parts.prompt + parts.tools
  answer.cached = toCount(usage.cachedContentTokenCount) ?? answer.cached
  answer.reasoning = parts.thought
  answer.output = (parts.said ?? unsaid(parts, usage)) + parts.thought
  if (usage.trafficType !== undefined || usage.serviceTier !== undefined) readTier(answer, usage)
  return true
}

function partsOf(answer: Answer): Parts {
  const parts = answer.wireState as Parts | undefined
  if (parts) return parts
  const made: Parts = { prompt: 0, tools: 0, said: undefined, thought: 0 }
  answer.wireState = made
  return made
}

/** Some answers, of images alone for one, have a total and no count of what was said. */
const unsaid = ({ prompt, tools, thought }: Parts, { totalTokenCount }: Json) =>
  Math.max(0, (toCount(totalTokenCount) ?? 0) - prompt - tools - thought)

/** `ON_DEMAND_PRIORITY` on one of its platforms, `priority` on the other. */
function readTier(answer: Answer, { trafficType, serviceTier }: Json): void {
  const traffic = typeof trafficType === 'string' ? trafficType.replace(/^ON_DEMAND_/, '') : null
  answer.serviceTier = toServiceTier(serviceTier, traffic) ?? answer.serviceTier
}

/** An embedding has no output. Without any count it is estimated by the request. */
export function readEmbeddings(answer: Answer, body: Json): void {
  if (body.embedding === undefined && body.embeddings === undefined) return
  const counted = toList(body.embeddings).map((one) =>
    toCount(toRecord(toRecord(one).statistics).tokenCount),
  )
  if (answer.input === undefined && counted.some((tokens) => tokens !== undefined)) {
    answer.input = counted.reduce<number>((sum, tokens) => sum + (tokens ?? 0), 0)
  }
  if (answer.input === undefined) return
  answer.output = 0
  answer.isUsageFinal = true
}
