// What a reader learnt of one answer so far. The wires fill it; the call's end reads it.
import type { CallUsage, ServerTool } from '../api.ts'

export type ToolCall = { id: string; name: string; input: string }

const textCharsMax = 1024 * 1024 // The longest answers of today's models have half of it; what came first goes first.
const toolCallsMax = 1_000
const inputCharsMax = 4 * 1024 * 1024

export class Answer {
  /** The parts as reported; a later report of a part replaces it. Undefined = never reported. */
  input: number | undefined
  cached: number | undefined
  cacheWrite: number | undefined
  /** Of the writes, how many last an hour, as a share of those that were told apart. */
  cacheWrite1h: number | undefined
  output: number | undefined
  reasoning: number | undefined
  /** The report that closes the count has come: what is known is exact. */
  isUsageFinal = false
  /** How it was served, where the upstream said so and it is not the plain way. */
  serviceTier: string | null = null
  /** It is being made in the background, and not done: what it comes to is told to who asks for it later. */
  isPending = false
  /** The upstream said that the answer is whole. */
  stopReason: string | null = null
  error: string | null = null
  /** The upstream's own code of the error, also one that came with status 200. */
  errorCode: string | null = null
  /** By which the vendor keeps it, where it says so. */
  storedId: string | null = null
  text = ''
  /** All that the model wrote, words and tool inputs, also what was not kept. */
  outputChars = 0
  readonly toolCalls: ToolCall[] = []
  /** What one wire alone remembers from event to event. */
  wireState: unknown = undefined
  #inputChars = 0
  #toolsSeen: Partial<Record<ServerTool, number>> | undefined
  #toolsReported: Partial<Record<ServerTool, number>> | undefined

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

  /** A use of a tool of the vendor's that showed in the answer. */
  seeServerTool(tool: ServerTool, uses = 1): void {
    this.#toolsSeen ??= {}
    this.#toolsSeen[tool] = (this.#toolsSeen[tool] ?? 0) + uses
  }

  /** Uses as the vendor counts them, up to now: they win over what showed. */
  reportServerTool(tool: ServerTool, uses: number | undefined): void {
    if (uses === undefined) return
    this.#toolsReported ??= {}
    this.#toolsReported[tool] = uses
  }

  forgetServerTools(): void {
    this.#toolsSeen = undefined
  }

  /** An error in the place of an answer: nothing was made, so nothing is charged. */
  get isRefused(): boolean {
    return this.error !== null && this.input === undefined && this.outputChars === 0
  }

  /** In our terms: the prompt's tokens hold the cached ones, and no part is larger than the whole. */
  usage(): CallUsage {
    const inputTokens = this.input ?? 0
    const cachedTokens = Math.min(this.cached ?? 0, inputTokens)
    const cacheWriteTokens = Math.min(this.cacheWrite ?? 0, inputTokens - cachedTokens)
    const outputTokens = this.output ?? 0
    return {
      inputTokens,
      cachedTokens,
      cacheWriteTokens,
      cacheWrite1hTokens: Math.min(this.cacheWrite1h ?? 0, cacheWriteTokens),
      outputTokens,
      reasoningTokens: Math.min(this.reasoning ?? 0, outputTokens),
      serverToolCalls: this.#serverToolCalls(),
    }
  }

  #serverToolCalls(): CallUsage['serverToolCalls'] {
    if (!this.#toolsSeen && !this.#toolsReported) return noTools
    const all = { ...this.#toolsSeen, ...this.#toolsReported }
    return Object.fromEntries(Object.entries(all).filter(([, uses]) => uses > 0))
  }
}

const noTools: CallUsage['serverToolCalls'] = {}

/** One per wire. Both ways fill the same answer. */
export type WireReader = {
  /**
   * Takes an event that can be told apart and read without reading it as JSON: nearly all events of an answer are a piece
   * of its text. False = it is none of those, and nothing was taken.
   */
  fast(answer: Answer, data: string): boolean
  /** One event of a stream. */
  event(answer: Answer, data: unknown): void
  /** A whole JSON answer. */
  whole(answer: Answer, body: unknown): void
  /** The stream's own mark of its end, `[DONE]`. */
  done?(answer: Answer): void
  /** All that came has been read. */
  finish?(answer: Answer): void
}
