// What all wires come down to, and how JSON of unknown shape is read: whatever isn't there is
// empty.

/** A piece of a conversation. With `tool` it is an assistant's call of a tool, or that tool's answer. */
export type Part = {
  role: 'system' | 'user' | 'assistant' | 'tool'
  text: string
  tool?: { id: string; name: string }
}

export type Json = { readonly [key: string]: unknown }

export const toJson = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
export const toList = (value: unknown): Json[] => (Array.isArray(value) ? value.map(toJson) : [])
export const toText = (value: unknown) => (typeof value === 'string' ? value : '')

/** The text of a content: a string, or a list of parts. What is no text shows as its kind, `[image]`. */
export const textOf = (content: unknown): string =>
  typeof content === 'string' ? content : toList(content).map(textOfPart).join('\n')

function textOfPart(part: Json): string {
  const text = part.text ?? part.refusal
  return typeof text === 'string' ? text : `[${toText(part.type) || 'unknown'}]`
}

/** Every wire's roles: `developer` is OpenAI's newer word for system, `function` the older for tool. */
export const toRole = (value: unknown): Part['role'] => roles.get(value) ?? 'user'
const roles = new Map<unknown, Part['role']>([
  ['system', 'system'],
  ['developer', 'system'],
  ['assistant', 'assistant'],
  ['tool', 'tool'],
  ['function', 'tool'],
])
