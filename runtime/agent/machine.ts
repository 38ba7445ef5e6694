// What the agent does next. Pure: no clock, no network, no file. run.ts performs the one effect of
// each step.
//
// | mode    | enters when                              | effect | leaves when                   |
// | ------- | ---------------------------------------- | ------ | ----------------------------- |
// | calling | it begins; the last tool of an answer    | call   | the model answers; the call   |
// |         | has answered; an answer was cut by its   |        | fails                         |
// |         | length                                   |        |                               |
// | using   | an answer asks for tools                 | use    | the last of them has answered |
// | ended   | an answer asks for nothing; a cap is     | end    | never                         |
// |         | reached; a call failed; somebody stops it|        |                               |
//
// A step has exactly one effect, so two model calls, or a call beside a tool, can't be in flight at
// once. Tools run one by one, in the model's order: the second may rely on what the first did.
import {
  type Answer,
  type Message,
  noUsage,
  type ToolCall,
  type ToolResult,
  type ToolResultBlock,
  type Usage,
} from './conversation.ts'

export type Limits = { turnsMax: number; contextBytesMax: number }
export type Ending = {
  ending: 'done' | 'failed' | 'turns' | 'stopped'
  /** One sentence for people. */
  reason: string
}

type Common = { messages: Message[]; turns: number; usage: Usage; limits: Limits }
export type State = Common &
  (
    | { mode: 'calling' }
    | { mode: 'using'; waiting: [ToolCall, ...ToolCall[]]; results: ToolResultBlock[] }
    | { mode: 'ended' }
  )
export type Effect =
  | { effect: 'call'; messages: readonly Message[] }
  | { effect: 'use'; call: ToolCall }
  | ({ effect: 'end' } & Ending)
export type Event =
  | { event: 'answered'; answer: Answer }
  | { event: 'failed'; reason: string }
  | { event: 'used'; result: ToolResult }
  | { event: 'stopped'; reason: string }
export type Step = { state: State; effect: Effect }

export function begin(prompt: string, limits: Limits): Step {
  return toCall({ messages: [userSays(prompt)], turns: 0, usage: noUsage, limits })
}

/** What follows an event. Throws for one that can't follow: a mistake in this program. */
export function advance(state: State, event: Event): Step {
  if (event.event === 'stopped') return toEnd(state, 'stopped', event.reason)
  if (state.mode === 'calling' && event.event === 'failed') {
    return toEnd(state, 'failed', event.reason)
  }
  if (state.mode === 'calling' && event.event === 'answered') {
    return afterAnswer(state, event.answer)
  }
  if (state.mode === 'using' && event.event === 'used') return afterTool(state, event.result)
  throw new Error(`The event ${event.event} can't follow in mode ${state.mode}.`)
}

function afterAnswer(state: Common, answer: Answer): Step {
  const { blocks, calls, stopReason } = answer
  const said: Message[] = blocks.length > 0 ? [{ role: 'assistant', content: blocks }] : []
  const next: Common = {
    messages: [...state.messages, ...said],
    turns: state.turns + 1,
    usage: add(state.usage, answer.usage),
    limits: state.limits,
  }
  if (stopReason === 'refusal') return toEnd(next, 'failed', 'The model refused to answer.')
  const [first, ...rest] = calls
  if (first) return toUse(next, [first, ...rest], [])
  if (stopReason === 'max_tokens') return afterCut(next, said.length > 0)
  if (stopReason === 'pause_turn') return toCall(next)
  if (stopReason === 'model_context_window_exceeded') {
    return toEnd(next, 'failed', "The conversation fills the model's context.")
  }
  return toEnd(next, 'done', 'The model ended its work.')
}

// Two user messages in a row are legal on this wire, so nothing is needed where the model said
// nothing.
const afterCut = (state: Common, hasSaid: boolean): Step =>
  toCall(
    hasSaid
      ? { ...state, messages: [...state.messages, userSays('Your answer was cut off. Go on.')] }
      : state,
  )

function afterTool(state: Extract<State, { mode: 'using' }>, result: ToolResult): Step {
  const [done, next, ...rest] = state.waiting
  const results = [...state.results, toBlock(done, result)]
  if (next) return toUse(state, [next, ...rest], results)
  return toCall({ ...state, messages: [...state.messages, { role: 'user', content: results }] })
}

function toCall({ messages, turns, usage, limits }: Common): Step {
  const state = { messages, turns, usage, limits }
  if (turns >= limits.turnsMax) {
    return toEnd(state, 'turns', `The cap of ${limits.turnsMax} turns is reached.`)
  }
  const bytes = Buffer.byteLength(JSON.stringify(messages))
  if (bytes > limits.contextBytesMax) {
    const reason = `The conversation has ${bytes} bytes, over the cap of ${limits.contextBytesMax}.`
    return toEnd(state, 'failed', `${reason} A smaller task for each pass helps.`)
  }
  return { state: { ...state, mode: 'calling' }, effect: { effect: 'call', messages } }
}

const toUse = (
  { messages, turns, usage, limits }: Common,
  waiting: [ToolCall, ...ToolCall[]],
  results: ToolResultBlock[],
): Step => ({
  state: { mode: 'using', messages, turns, usage, limits, waiting, results },
  effect: { effect: 'use', call: waiting[0] },
})

const toEnd = (
  { messages, turns, usage, limits }: Common,
  ending: Ending['ending'],
  reason: string,
): Step => ({
  state: { mode: 'ended', messages, turns, usage, limits },
  effect: { effect: 'end', ending, reason },
})

const userSays = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })

const toBlock = (call: ToolCall, { text, isError }: ToolResult): ToolResultBlock => ({
  type: 'tool_result',
  tool_use_id: call.id,
  content: text,
  ...(isError && { is_error: true }),
})

const add = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  cachedTokens: a.cachedTokens + b.cachedTokens,
  outputTokens: a.outputTokens + b.outputTokens,
})
