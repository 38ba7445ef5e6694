// What a tool is, and the way from a model's call to its result. Nothing a model asks for may throw
// past `useTool`.
import type { ToolCall, ToolResult } from '../conversation.ts'

type Property = { type: 'string' | 'integer'; description: string; minimum?: number }
/** As the wire takes it. `input_schema` is JSON Schema, and also what the input is checked by. */
export type ToolDefinition = {
  name: string
  description: string
  input_schema: {
    type: 'object'
    properties: Readonly<Record<string, Property>>
    required: readonly string[]
  }
}
export type Input = Readonly<Record<string, string | number | undefined>>
export type Workplace = { root: string; signal: AbortSignal }
export type Tool = {
  definition: ToolDefinition
  /** The call in one line, for people. */
  show(input: Input): string
  run(input: Input, workplace: Workplace): Promise<{ text: string; note: string }>
}

/** Something the model can put right: its message goes back as the tool's answer. */
export class ToolError extends Error {}

/** The tool and what it is given, checked; or the words that tell the model what is wrong. */
export type Planned = { tool: Tool; input: Input } | { problem: string }

export function planTool(tools: readonly Tool[], call: ToolCall): Planned {
  const tool = tools.find(({ definition }) => definition.name === call.name)
  if (!tool) {
    const names = tools.map(({ definition }) => definition.name).join(', ')
    return { problem: `There is no tool ${call.name}. There are: ${names}.` }
  }
  if (!call.input) return { problem: 'The input was no complete JSON object. Nothing was done.' }
  const input = call.input as Input
  const problem = findProblem(tool.definition, input)
  return problem ? { problem } : { tool, input }
}

export async function useTool({ tool, input }: { tool: Tool; input: Input }, at: Workplace) {
  try {
    return { ...(await tool.run(input, at)), isError: false } satisfies ToolResult
  } catch (error) {
    at.signal.throwIfAborted()
    return toRefusal(toReason(error))
  }
}

export const toRefusal = (text: string): ToolResult => ({ text, note: text, isError: true })

function findProblem({ input_schema }: ToolDefinition, input: Input): string | undefined {
  const missing = input_schema.required.find((name) => input[name] === undefined)
  if (missing) return `The input lacks ${missing}.`
  const wrong = Object.entries(input_schema.properties).find(
    ([name, property]) => input[name] !== undefined && !fits(property, input[name]),
  )
  return wrong && `${wrong[0]} must be of type ${wrong[1].type}${toBound(wrong[1])}.`
}

const toBound = ({ minimum }: Property) => (minimum === undefined ? '' : `, at least ${minimum}`)

const fits = ({ type, minimum = Number.NEGATIVE_INFINITY }: Property, value: string | number) =>
  type === 'string'
    ? typeof value === 'string'
    : Number.isInteger(value) && Number(value) >= minimum

const reasonByCode: Readonly<Record<string, string>> = {
  ENOENT: 'It does not exist.',
  ENOTDIR: 'A part of the path is no folder.',
  EISDIR: 'It is a folder.',
  EACCES: 'It may not be accessed.',
  EEXIST: 'It exists already.',
  ENOSPC: 'The disk is full.',
}

function toReason(error: unknown): string {
  if (error instanceof ToolError) return error.message
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasonByCode[code] ?? `It failed: ${message}`
}
