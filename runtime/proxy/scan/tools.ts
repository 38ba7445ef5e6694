// Which tools a call offers its model: those of the client by name, those that the vendor runs by type.
import {
  invalid,
  openBrace,
  openBracket,
  quote,
  readPlain,
  readString,
  skipSpace,
  skipValue,
  type Walk,
  walkArray,
  walkObject,
} from './walk.ts'

/** A tool that the vendor runs: its results are input that no byte of the request bounds. */
export type ServerTool = { type: string; usesMax: number | null }
export type Tools = { names: string[]; server: ServerTool[] }

const toolsMax = 10_000 // The most a vendor takes (Anthropic, with tool search).
const nameCharsMax = 200
const depthMax = 4 // A namespace holds tools, and no namespace holds a namespace.

/** What a tool of one of these types does, the client does. Others are run by the vendor, unknown ones too. */
const clientTypes = new Set([
  'apply_patch',
  'computer',
  'computer_use',
  'computer_use_preview',
  'custom',
  'function',
  'local_shell',
  'namespace',
])
const clientTypePrefixes = ['bash_', 'computer_20', 'memory_', 'text_editor_']
/** Of these another member says where they run: `environment` of type "local", `execution` "client". */
const placedTypes: Readonly<Record<string, readonly [string, string]>> = {
  shell: ['environment', 'local'],
  tool_search: ['execution', 'client'],
}

/** The `tools` of Messages, chat and Responses, and an item of Responses that brings more. */
export function walkTools(walk: Walk, from: number, tools: Tools, depth = 0): number {
  if (walk.body[from] !== openBracket) return walkNothing(walk, from, '`tools` must be a list.')
  if (depth >= depthMax) throw invalid('Its `tools` are nested too deep.')
  return walkArray(walk, from, (at) => walkTool(walk, at, tools, depth))
}

type Seen = Readonly<Record<string, string>>

function walkTool(walk: Walk, from: number, tools: Tools, depth: number): number {
  const seen: Record<string, string> = {}
  const to = walkObject(walk, from, (key, at) => {
    const name = readString(walk.body, key)
    if (name === 'tools') return walkTools(walk, at, tools, depth + 1)
    if (!readKeys.has(name.toLowerCase())) return skipValue(walk, at)
    assertOnce(seen, name)
    const held = walkHolder(walk, at, name)
    if (held) {
      seen[name] = held.text
      return held.to
    }
    const end = skipValue(walk, at)
    const span = { from: at, to: end }
    const isText = walk.body[at] === quote
    const text = isText ? readString(walk.body, span) : readPlain(walk.body, span).slice(0, 20)
    if (isText || text !== 'null') seen[name] = text
    return end
  })
  addTool(tools, seen)
  return to
}

const readKeys = new Set([
  'type',
  'name',
  'max_uses',
  'function',
  'custom',
  'environment',
  'execution',
])

/** Two parsers could take two of them in two ways, and those in Go take them in any case. */
function assertOnce(seen: Seen, name: string): void {
  const lower = name.toLowerCase()
  if (lower !== name || Object.hasOwn(seen, name)) {
    throw invalid(`A tool of it has more than one \`${lower}\`.`)
  }
}

/** Chat keeps the name one level deeper, and so do a few others what is wanted of them. */
const heldKeys: Readonly<Record<string, string>> = {
  function: 'name',
  custom: 'name',
  environment: 'type',
}

function walkHolder(walk: Walk, from: number, name: string): { text: string; to: number } | null {
  const wanted = Object.hasOwn(heldKeys, name) ? heldKeys[name]! : null
  return wanted === null || walk.body[from] !== openBrace ? null : walkHeld(walk, from, wanted)
}

function walkHeld(walk: Walk, from: number, wanted: string): { text: string; to: number } {
  let text: string | null = null
  const to = walkObject(walk, from, (key, at) => {
    const end = skipValue(walk, at)
    if (walk.body[at] !== quote || readString(walk.body, key) !== wanted) return end
    if (text !== null) throw invalid(`A tool of it has more than one \`${wanted}\`.`)
    text = readString(walk.body, { from: at, to: end })
    return end
  })
  return { text: text ?? '', to }
}

function addTool(tools: Tools, seen: Seen): void {
  const { type = '', name, function: inFunction, custom, max_uses: uses = '' } = seen
  const isClients = isClientType(type, seen)
  addName(tools, isClients ? (name ?? inFunction ?? custom ?? type) : type)
  if (isClients) return
  const usesMax = /^\d{1,6}$/.test(uses) ? Number(uses) : null
  tools.server.push({ type: type.slice(0, nameCharsMax), usesMax })
}

function isClientType(type: string, seen: Seen): boolean {
  if (type === '' || clientTypes.has(type)) return true
  const placed = placedTypes[type]
  if (placed) return seen[placed[0]] === placed[1]
  return clientTypePrefixes.some((prefix) => type.startsWith(prefix))
}

export function addName(tools: Tools, name: string): void {
  if (tools.names.length >= toolsMax) throw invalid(`${toolsMax} tools are the most.`)
  tools.names.push(name.slice(0, nameCharsMax))
}

/** Gemini's: each member of an element but the declarations is a tool of the vendor's. */
export function walkGeminiTools(walk: Walk, from: number, tools: Tools): number {
  const { body } = walk
  if (body[from] === openBrace) return walkGeminiTool(walk, from, tools) // Proto's JSON takes one for a list of one.
  if (body[from] !== openBracket) return walkNothing(walk, from, '`tools` must be a list.')
  return walkArray(walk, from, (at) => walkGeminiTool(walk, at, tools))
}

function walkGeminiTool(walk: Walk, from: number, tools: Tools): number {
  return walkObject(walk, from, (key, at) => {
    const name = readString(walk.body, key)
    const type = name.toLowerCase().replaceAll('_', '')
    if (type === 'functiondeclarations') return walkDeclarations(walk, at, tools)
    const end = skipValue(walk, at)
    if (readPlain(walk.body, { from: at, to: Math.min(end, at + 5) }) === 'null') return end
    addName(tools, name)
    if (type !== 'computeruse') tools.server.push({ type: name, usesMax: null })
    return end
  })
}

function walkDeclarations(walk: Walk, from: number, tools: Tools): number {
  const { body } = walk
  const declaration = (at: number) => {
    const { text, to } = walkHeld(walk, at, 'name')
    addName(tools, text)
    return to
  }
  if (body[from] === openBrace) return declaration(from)
  if (body[from] !== openBracket) return walkNothing(walk, from, 'Declarations must be a list.')
  return walkArray(walk, from, declaration)
}

/** What stands instead of a list must be null. */
export function walkNothing(walk: Walk, from: number, say: string): number {
  const to = skipValue(walk, from)
  if (readPlain(walk.body, { from, to: Math.min(to, from + 5) }) !== 'null') throw invalid(say)
  return skipSpace(walk.body, to)
}
