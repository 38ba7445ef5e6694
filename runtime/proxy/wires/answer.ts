// What a reader learnt of one answer so far. The wires fill it; the call's end reads it.
import type { CallUsage } from '../api.ts'

export type ToolCall = { id: string; name: string; input: string }

const textCharsMax = 1024 * 1024 // The longest answers of today's models have half of it; what came first goes first.
const toolCallsMax = 1_000
const inputCharsMax = 4 * 1024 * 1024

export class Answer {
  /** The parts as reported; a later report of a part replaces it. Undefined = never reported. */
  input: number | undefined
  cached: number | undefined
  cacheWrite: number | undefined
  output: number | undefined
  /** The report that closes the count has come: what is known is exact. */
  isUsageFinal = false
  /** The upstream said that the answer is whole. */
  stopReason: string | null = null
  error: string | null = null
  text = ''
  /** All that the model wrote, words and tool inputs, also what was not kept. */
  outputChars = 0
  readonly toolCalls: ToolCall[] = []
  #inputChars = 0

  addText(text: string): void {
    this.outputChars += text.length
    this.text += text
    if (this.text.length > 2 * textCharsMax) this.text = this.text.slice(-textCharsMax)
  }

  /** Undefined when there are too many: the rest is not kept. */
  addToolCall(id: string, name: string): ToolCall | undefined {
    if (this.toolCalls.length >= toolCallsMax) return undefined
    const call = { id, name, input: '' }
    this.toolCalls.push(call)
    return call
  }

  addInput(call: ToolCall | undefined, piece: string): void {
    this.outputChars += piece.length
    this.#inputChars += piece.length
    if (call && this.#inputChars <= inputCharsMax) call.input += piece
  }

  /** In our terms: the prompt's tokens hold the cached ones, and no part is larger than the whole. */
  usage(): CallUsage {
    const inputTokens = this.input ?? 0
    const cachedTokens = Math.min(this.cached ?? 0, inputTokens)
    const cacheWriteTokens = Math.min(this.cacheWrite ?? 0, inputTokens - cachedTokens)
    return { inputTokens, cachedTokens, cacheWriteTokens, outputTokens: this.output ?? 0 }
  }
}

/** One per wire. Both ways fill the same answer. */
export type WireReader = {
  /** The text of an event that says nothing else, where that can be told without reading it as JSON. */
  plainText?(data: string): string | undefined
  /** One event of a stream. */
  event(answer: Answer, data: unknown): void
  /** A whole JSON answer. */
  whole(answer: Answer, body: unknown): void
}
