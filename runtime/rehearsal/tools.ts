// Turns a step into a call of a tool that this request offers, chosen by the shape of its parameters and
// never by product, so that a renamed tool or another agent needs no change here.
import { exampleOf, hasChoices, itemsOf, propertiesOf, requiredOf, typeOf } from './json-schema.ts'
import type { Step } from './script.ts'
import type { JsonSchema } from './wires/wire.ts'

export type Tool = { name: string; parameters: JsonSchema }
export type Call = { tool: string; args: Record<string, unknown> }

const pathKey = /^(file_?path|path|file|filename|absolute_path|target_file)$/i
const fromKey = /^old(_?str(ing)?|_?text)?$/i
const toKey = /^new(_?str(ing)?|_?text)?$/i
const commandKey = /^(command|cmd|script)$/i
const runName = /shell|bash|exec|run|terminal|command/i
const besideRunName = /stdin|background|kill|output/i // They belong to a command that runs already.
const readName = /read/i
const besideReadName = /many|mcp|skill/i

/** The call that does the step; none where no tool fits, or the step is words alone. */
export function planCall(step: Step, tools: readonly Tool[], folder?: string): Call | undefined {
  const { run, read, edit } = step
  const place = (path: string) => (folder ? `${folder}/${path}` : path)
  if (run) return runCall(run, tools)
  if (read) return readCall(place(read), tools) ?? runCall(`cat ${quote(read)}`, tools)
  if (edit) {
    return editCall({ ...edit, path: place(edit.path) }, tools) ?? runCall(toCommand(edit), tools)
  }
  return undefined
}

function runCall(command: string, tools: readonly Tool[]): Call | undefined {
  const fitting = tools.filter(({ name }) => runName.test(name)).filter(commandKeyOf)
  const tool = fitting.find(({ name }) => !besideRunName.test(name)) ?? fitting[0]
  if (!tool) return undefined
  const key = commandKeyOf(tool)!
  const isList = typeOf(propertiesOf(tool.parameters)[key]!) === 'array'
  return toCall(tool, { [key]: isList ? ['bash', '-c', command] : command })
}

/** A closed choice of commands is an editor's, not a shell's. */
function commandKeyOf({ parameters }: Tool): string | undefined {
  const properties = propertiesOf(parameters)
  const key = findKey(properties, commandKey)
  return key && !hasChoices(properties[key]!) ? key : undefined
}

function readCall(path: string, tools: readonly Tool[]): Call | undefined {
  const tool = tools
    .filter(({ name }) => readName.test(name) && !besideReadName.test(name))
    .find(({ parameters }) => findKey(propertiesOf(parameters), pathKey))
  if (!tool) return undefined
  return toCall(tool, { [findKey(propertiesOf(tool.parameters), pathKey)!]: path })
}

type Edit = NonNullable<Step['edit']>

function editCall(edit: Edit, tools: readonly Tool[]): Call | undefined {
  for (const tool of tools) {
    const properties = propertiesOf(tool.parameters)
    const key = findKey(properties, pathKey)
    const change = key && toChange(properties, edit)
    if (change) return toCall(tool, { [key]: edit.path, ...change })
  }
  return undefined
}

/** Before and after as the tool takes them: as two properties, or as a list of such pairs. */
function toChange(properties: Readonly<Record<string, JsonSchema>>, edit: Edit) {
  const direct = toPair(properties, edit)
  if (direct) return { ...direct, ...toSubCommand(properties) }
  for (const [name, schema] of Object.entries(properties)) {
    const pair = toPair(propertiesOf(itemsOf(schema)), edit)
    if (pair) return { [name]: [pair] }
  }
  return undefined
}

function toPair(properties: Readonly<Record<string, JsonSchema>>, { from, to }: Edit) {
  const [before, after] = [findKey(properties, fromKey), findKey(properties, toKey)]
  return before && after ? { [before]: from, [after]: to } : undefined
}

/** An editor with a choice of commands takes the one that replaces text. */
function toSubCommand({ command }: Readonly<Record<string, JsonSchema>>) {
  if (!command || !Array.isArray(command.enum)) return {}
  const choices = command.enum.map(String)
  return { command: choices.find((choice) => /replace/.test(choice)) ?? choices[0] }
}

/** What else the tool requires is filled from its schema. */
function toCall({ name, parameters }: Tool, args: Record<string, unknown>): Call {
  const properties = propertiesOf(parameters)
  const rest = requiredOf(parameters).map((key) => [key, exampleOf(properties[key] ?? {})])
  return { tool: name, args: { ...Object.fromEntries(rest), ...args } }
}

const findKey = (properties: Readonly<Record<string, JsonSchema>>, pattern: RegExp) =>
  Object.keys(properties).find((key) => pattern.test(key))

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const replaceOnce = `const {readFileSync: read, writeFileSync: write} = require("fs")
const [path, from, to] = process.argv.slice(1)
const parts = read(path, "utf8").split(from)
if (parts.length !== 2) throw new Error("The text does not stand there once.")
write(path, parts.join(to))`

/** An edit for agents that have a shell and nothing else. */
const toCommand = ({ path, from, to }: Edit) =>
  `node -e ${quote(replaceOnce)} -- ${[path, from, to].map(quote).join(' ')}`
