// A thread as a reader wants it: what was said, what was thought, and each call of a tool with its answer.
import type { Message } from '../../threads/api.ts'
import { toLine } from './visible.ts'

export type Said = {
  kind: 'said'
  key: string
  role: 'system' | 'user' | 'assistant' | 'tool'
  text: string
  at: string
}
export type Thought = { kind: 'thought'; key: string; text: string; at: string }
export type ToolCall = {
  kind: 'tool'
  key: string
  name: string
  /** What it was called with, in one line. */
  summary: string
  input: string
  /** Undefined while it runs, or where the agent never told. */
  output: string | undefined
  hasFailed: boolean
  at: string
}
export type Calls = { kind: 'calls'; key: string; calls: ToolCall[]; summary: string }
export type Entry = Said | Thought | ToolCall | Calls

const callsInRowMax = 7 // More in a row, with no word between, fold into one line.

export function toEntries(messages: readonly Message[]): Entry[] {
  const outputs = new Map<string, Message>()
  for (const message of messages) {
    if (message.role === 'tool' && message.tool) outputs.set(message.tool.id, message)
  }
  const called = new Set<string>()
  const entries = messages.flatMap((message): Entry[] => {
    const { role, tool, text, at, position } = message
    if (!tool)
      return role === 'assistant'
        ? toSpoken(message)
        : [{ kind: 'said', key: `m${position}`, role, text, at }]
    if (role === 'assistant') {
      called.add(tool.id)
      return [toCall(message, tool.name, outputs.get(tool.id))]
    }
    return called.has(tool.id) ? [] : [toOrphan(message, tool.name)]
  })
  return foldCalls(entries)
}

/** The entry that shows the message at a position: its own, or the call that it answers, which stands before it. */
export function findEntry(entries: readonly Entry[], position: number): Entry | undefined {
  return entries.findLast(({ key }) => Number.parseInt(key.slice(1), 10) <= position)
}

const thinking = /<(think|thinking|reasoning)>([\s\S]*?)(?:<\/\1>|$)/g

function toSpoken({ text, at, position }: Message): (Said | Thought)[] {
  const entries: (Said | Thought)[] = []
  let from = 0
  const say = (part: string) => {
    const key = `m${position}.${entries.length}`
    if (part.trim() !== '')
      entries.push({ kind: 'said', key, role: 'assistant', text: part.trim(), at })
  }
  for (const found of text.matchAll(thinking)) {
    say(text.slice(from, found.index))
    const key = `m${position}.${entries.length}`
    entries.push({ kind: 'thought', key, text: found[2]!.trim(), at })
    from = found.index + found[0].length
  }
  say(text.slice(from))
  return entries
}

const toCall = (message: Message, name: string, answer?: Message): ToolCall => ({
  kind: 'tool',
  key: `m${message.position}`,
  name: name || 'tool',
  ...toInput(message),
  output: answer?.text,
  hasFailed: answer !== undefined && hasFailed(answer.text),
  at: message.at,
})

// A story that grows is told anew with each message; what a call was given is read once.
const inputs = new WeakMap<Message, Pick<ToolCall, 'summary' | 'input'>>()

function toInput(message: Message): Pick<ToolCall, 'summary' | 'input'> {
  const known = inputs.get(message)
  if (known) return known
  const input = { summary: toSummary(message.text), input: toPretty(message.text) }
  inputs.set(message, input)
  return input
}

/** An answer whose call is in another thread, or was cut from this one. */
const toOrphan = ({ text, at, position }: Message, name: string): ToolCall => ({
  kind: 'tool',
  key: `m${position}`,
  name: name || 'tool',
  summary: toLine(text, summaryCharsMax),
  input: '',
  output: text,
  hasFailed: hasFailed(text),
  at,
})

const summaryCharsMax = 160
const telling = [
  'command',
  'cmd',
  'path',
  'file_path',
  'filePath',
  'pattern',
  'query',
  'url',
  'description',
]

/** The field that says most: a command, a path; else the fields as they are. */
export function toSummary(input: string): string {
  const fields = parseFields(input)
  if (!fields) return toLine(input, summaryCharsMax)
  for (const name of telling) {
    const value = fields[name]
    if (typeof value === 'string' && value !== '') return toLine(value, summaryCharsMax)
    if (Array.isArray(value)) return toLine(value.map(String).join(' '), summaryCharsMax)
  }
  const rest = Object.entries(fields).map(([name, value]) => `${name}: ${toShort(value)}`)
  return toLine(rest.join(', '), summaryCharsMax)
}

const toShort = (value: unknown) =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '')

function parseFields(input: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(input)
    const isFields = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isFields ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // Cut, or never JSON: shown as it is.
  }
}

/** Fields below each other, with texts of several lines as they are and not as JSON. */
function toPretty(input: string): string {
  const fields = parseFields(input)
  if (!fields) return input
  return Object.entries(fields)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
      return text.includes('\n') ? `${name}:\n${text}` : `${name}: ${text}`
    })
    .join('\n')
}

const hasFailed = (output: string): boolean => {
  const ends = `${output.slice(0, 200)}\n${output.slice(-200)}`
  return /\[?\bexit(?:ed)?(?: with)?(?: code| status)?:? [1-9]\d*\b|^(?:Error|error):|\[cut after/m.test(
    ends,
  )
}

function foldCalls(entries: readonly Entry[]): Entry[] {
  const folded: Entry[] = []
  let run: ToolCall[] = []
  const flush = () => {
    if (run.length > callsInRowMax) {
      folded.push({ kind: 'calls', key: `f${run[0]!.key}`, calls: run, summary: toCounts(run) })
    } else folded.push(...run)
    run = []
  }
  for (const entry of entries) {
    if (entry.kind === 'tool') run.push(entry)
    else {
      flush()
      folded.push(entry)
    }
  }
  flush()
  return folded
}

/** `12 calls: bash ×9, read_file ×3`. */
function toCounts(calls: readonly ToolCall[]): string {
  const counts = new Map<string, number>()
  for (const { name } of calls) counts.set(name, (counts.get(name) ?? 0) + 1)
  const names = [...counts].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`))
  const failed = calls.filter(({ hasFailed }) => hasFailed).length
  return `${calls.length} calls: ${names.join(', ')}${failed > 0 ? ` · ${failed} failed` : ''}`
}
