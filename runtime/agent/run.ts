// Performs what machine.ts decides: model calls and tools, one at a time, until it ends.
import { CallFailed, callModel } from './call.ts'
import type { ToolCall, Usage } from './conversation.ts'
import { advance, begin, type Effect, type Ending, type Event, type Limits } from './machine.ts'
import { systemPrompt } from './prompt.ts'
import { toRequestBody } from './request.ts'
import type { Terminal } from './terminal.ts'
import { bash } from './tools/bash.ts'
import { editFile } from './tools/edit-file.ts'
import { listFiles } from './tools/list-files.ts'
import { readFile } from './tools/read-file.ts'
import { planTool, toRefusal, useTool } from './tools/tool.ts'

export type RunOptions = {
  model: string
  origin: string
  token: string
  prompt: string
  /** The work folder. */
  root: string
  limits: Limits
  backoffMs: number
  signal: AbortSignal
}
export type Outcome = Ending & { turns: number; usage: Usage }

const tools = [readFile, listFiles, editFile, bash]

export async function run(options: RunOptions, terminal: Terminal): Promise<Outcome> {
  let { state, effect } = begin(options.prompt, options.limits)
  while (effect.effect !== 'end') {
    const event = await perform(effect, options, terminal)
    ;({ state, effect } = advance(state, event))
  }
  const { ending, reason } = effect
  return { ending, reason, turns: state.turns, usage: state.usage }
}

type Performed = Exclude<Effect, { effect: 'end' }>

async function perform(effect: Performed, options: RunOptions, terminal: Terminal): Promise<Event> {
  try {
    if (effect.effect === 'call') return await call(effect.messages, options, terminal)
    return { event: 'used', result: await use(effect.call, options, terminal) }
  } catch (error) {
    if (options.signal.aborted) return { event: 'stopped', reason: String(options.signal.reason) }
    if (error instanceof CallFailed) return { event: 'failed', reason: error.message }
    throw error
  }
}

type Messages = Extract<Effect, { effect: 'call' }>['messages']

async function call(messages: Messages, options: RunOptions, terminal: Terminal): Promise<Event> {
  const { model, origin, token, root, signal, backoffMs } = options
  const system = systemPrompt(root)
  const definitions = tools.map(({ definition }) => definition)
  const answer = await callModel({
    origin,
    token,
    signal,
    backoffMs,
    body: toRequestBody({ model, system, tools: definitions, messages }),
    onText: (text) => terminal.say(text),
    onRetry: (reason, waitMs) => terminal.line(`! ${reason} (asking again in ${waitMs / 1_000} s)`),
  })
  return { event: 'answered', answer }
}

async function use(toolCall: ToolCall, { root, signal }: RunOptions, terminal: Terminal) {
  signal.throwIfAborted()
  const planned = planTool(tools, toolCall)
  const shown = 'tool' in planned ? planned.tool.show(planned.input) : ''
  const endLine = terminal.begin(`· ${toolCall.name} ${shown}`)
  const result =
    'tool' in planned ? await useTool(planned, { root, signal }) : toRefusal(planned.problem)
  endLine(result.note)
  return result
}
