// The items of a Responses call's input. Some stand for what the vendor keeps, some bring tools.
import type { Draft } from './keys.ts'
import { type Tools, walkTools } from './tools.ts'
import { type Boundary, noteElement } from './trail.ts'
import {
  isKey,
  openBrace,
  openBracket,
  quote,
  readString,
  type Span,
  skipContent,
  skipValue,
  type Walk,
  walkArray,
  walkObject,
  walkOtherElements,
} from './walk.ts'

/** All of an item of these types came with it: the rest is an image, or lies at the vendor's. */
const wholeTypes = new Set([
  'additional_tools',
  'agent_message',
  'apply_patch_call',
  'apply_patch_call_output',
  'compaction',
  'compaction_summary',
  'compaction_trigger',
  'computer_call',
  'computer_call_output',
  'context_compaction',
  'custom_tool_call',
  'custom_tool_call_output',
  'function_call',
  'function_call_output',
  'local_shell_call',
  'local_shell_call_output',
  'message',
  'reasoning',
  'shell_call',
  'shell_call_output',
  'tool_search_call',
  'tool_search_output',
  'web_search_call',
])
/** Whole only with what they say in `encrypted_content`; without it their id stands for it. */
const sealedTypes = new Set(['compaction', 'compaction_summary', 'context_compaction', 'reasoning'])

type Item = { type: string | null; role: boolean; sealed: boolean | null }

/** @returns whether each item is whole, beside what the marks say. */
export function walkItems(
  draft: Draft,
  from: number,
  boundary: Boundary | null,
): { to: number; areWhole: boolean } {
  const { walk, tools } = draft
  let areWhole = boundary?.areWhole ?? true
  if (walk.body[from] !== openBracket) return { to: skipValue(walk, from), areWhole }
  const visit = (at: number) => {
    if (walk.body[at] !== openBrace) return skipContent(walk, at)
    const item: Item = { type: null, role: false, sealed: null }
    const end = walkObject(walk, at, (key, value) => walkMember(walk, { key, value, item, tools }))
    if (!isWhole(item)) areWhole = false
    noteElement(draft, end, areWhole)
    return end
  }
  const to = boundary ? walkOtherElements(walk, boundary.at, visit) : walkArray(walk, from, visit)
  return { to, areWhole }
}

type Member = { key: Span; value: number; item: Item; tools: Tools }

function walkMember(walk: Walk, { key, value, item, tools }: Member): number {
  const { body } = walk
  if (isKey(walk, key, 'tools') && body[value] === openBracket)
    return walkTools(walk, value, tools, 1)
  const to = skipContent(walk, value)
  if (isKey(walk, key, 'type')) {
    item.type = body[value] === quote ? readString(body, { from: value, to }) : ''
    if (walk.marks.has(body, value, to)) walk.isMarked = true
  } else if (isKey(walk, key, 'role')) item.role = true
  else if (isKey(walk, key, 'encrypted_content')) {
    const isText = body[value] === quote && to - value > 2
    item.sealed = isText && item.sealed !== false // Of two, either may count.
  } else if (walk.marks.has(body, key.from, key.to)) walk.isMarked = true
  return to
}

function isWhole({ type, role, sealed }: Item): boolean {
  if (type === null) return role // A message may leave its type out, and so may a reference to what is stored.
  if (sealedTypes.has(type) && sealed !== true) return false
  return wholeTypes.has(type)
}
